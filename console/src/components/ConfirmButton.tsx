import { Button, type ButtonProps } from "@mantine/core";
import { useEffect, useState, type ReactNode } from "react";
import { common } from "@/lib/strings";

/** A button that asks once more: the second click within 4 s acts. `action` completes "Click again to …". */
export function ConfirmButton({ action, onConfirm, children, ...look }: ButtonProps & { action: string; onConfirm: () => void; children: ReactNode }): ReactNode {
  const [sure, setSure] = useState(false);
  useEffect(() => {
    if (!sure) return undefined;
    const timer = window.setTimeout(() => setSure(false), 4000);
    return () => window.clearTimeout(timer);
  }, [sure]);
  return (
    <Button
      {...look}
      variant={sure ? "filled" : (look.variant ?? "default")}
      onBlur={() => setSure(false)}
      onClick={() => {
        if (sure) onConfirm();
        setSure(!sure);
      }}
    >
      <span aria-live="polite">{sure ? common.hold(action) : children}</span>
    </Button>
  );
}
