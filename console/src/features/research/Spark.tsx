import { useQuery } from "@tanstack/react-query";
import type { ReactNode } from "react";
import { equityOf } from "./read";

const [W, H] = [110, 22];

/** The equity of a run as a line; its own reading, made when the row comes in sight. */
export function Spark({ id }: { id: string }): ReactNode {
  const { data } = useQuery(equityOf(id, 60));
  const values = data?.equity ?? [];
  const [low, high] = [Math.min(...values), Math.max(...values)];
  const first = values[0] ?? 0;
  const y = (value: number): number => H - 2 - ((value - low) / (high - low || 1)) * (H - 4);
  if (values.length < 2) return <svg width={W} height={H} aria-hidden />;
  const points = values.map((value, at) => `${((at / (values.length - 1)) * W).toFixed(1)},${y(value).toFixed(1)}`).join(" ");
  return (
    <svg width={W} height={H} aria-hidden style={{ display: "block" }}>
      <line x1={0} x2={W} y1={y(first)} y2={y(first)} stroke="var(--desk-line)" />
      <polyline points={points} fill="none" strokeWidth={1.3} stroke={(values.at(-1) ?? 0) >= first ? "var(--up)" : "var(--down)"} />
    </svg>
  );
}
