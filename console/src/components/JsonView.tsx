import { Code } from "@mantine/core";
import type { ReactNode } from "react";

/** Any JSON value, indented, scrolling inside itself. */
export function JsonView({ value, maxHeight = 400 }: { value: unknown; maxHeight?: number }): ReactNode {
  return <Code block mah={maxHeight} tabIndex={0} style={{ overflow: "auto" }}>{JSON.stringify(value, null, 2)}</Code>;
}
