import type { ReactNode } from "react";
import { overdue } from "./read";
import { RelativeTime } from "@/components/Numbers";
import type { Schemas } from "@/lib/api";
import { useClocks, useNow } from "@/lib/clock";
import { duration } from "@/lib/format";
import { tasks as words } from "@/lib/strings";

/** When a schedule is due next by its own clock: ahead, due (what was read is some seconds old), or overdue. */
export function NextTick({ row }: { row: Schemas["ScheduleView"] }): ReactNode {
  const now = useNow();
  const { deskAhead, wallAhead } = useClocks();
  const wall = row.clock === "wall";
  const late = overdue(row, now + deskAhead, now + wallAhead);
  if (late > 0) return <span className="danger">{words.overdue(duration(late))}</span>;
  if (row.next_planned_at !== null && Date.parse(row.next_planned_at) <= now + (wall ? wallAhead : deskAhead)) return <span className="dim">{words.due}</span>;
  return <RelativeTime wall={wall} at={row.next_planned_at} />;
}
