import { Button, Group, TextInput } from "@mantine/core";
import { useState, type ReactNode } from "react";
import { settings as words } from "@/lib/strings";

/** What is dangerous: a word must be typed and a reason given before its button acts. */
export function TypedConfirm({ word, title, text, act, busy }: { word: string; title: string; text: string; act: (reason: string) => void; busy: boolean }): ReactNode {
  const [typed, setTyped] = useState("");
  const [reason, setReason] = useState("");
  const ready = typed === word && reason.trim() !== "";
  return (
    <form style={{ padding: "6px 0" }} onSubmit={(event) => {
      event.preventDefault();
      if (!ready) return;
      act(reason);
      setTyped("");
      setReason("");
    }}>
      <div><b>{title}</b> <span className="dim">{text}</span></div>
      <Group align="end" gap={8} mt={4}>
        <TextInput size="xs" label={words.reason} maxLength={500} value={reason} style={{ flex: "1 1 200px" }} onChange={(event) => setReason(event.currentTarget.value)} />
        <TextInput size="xs" label={words.control.type(word)} autoComplete="off" value={typed} onChange={(event) => setTyped(event.currentTarget.value.toUpperCase())} />
        <Button size="xs" color="red.8" autoContrast={false} type="submit" disabled={!ready} loading={busy}>{title}</Button>
      </Group>
    </form>
  );
}
