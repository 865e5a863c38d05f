import { TextInput } from "@mantine/core";
import { useDebouncedCallback } from "@mantine/hooks";
import { useState, type ReactNode } from "react";

/** A filter that is typed: told 300 ms after the last key. `search`: the one that `/` goes to. */
export function FilterText(props: { label: string; value: string; onChange: (value: string) => void; width?: number; search?: boolean; error?: ReactNode }): ReactNode {
  const { label, value, onChange, width = 160, search = false, error } = props;
  const [typed, setTyped] = useState(value);
  const [known, setKnown] = useState(value);
  const tell = useDebouncedCallback(onChange, 300);
  if (value !== known) {
    setKnown(value);
    if (value !== typed.trim()) setTyped(value);
  }
  return (
    <TextInput
      size="xs" w={width} type={search ? "search" : "text"} label={label} value={typed} error={error} maxLength={200}
      onChange={(event) => {
        setTyped(event.currentTarget.value);
        tell(event.currentTarget.value.trim());
      }}
    />
  );
}
