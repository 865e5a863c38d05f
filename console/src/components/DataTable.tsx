import { Button, Group } from "@mantine/core";
import { useVirtualizer } from "@tanstack/react-virtual";
import { memo, useCallback, useEffect, useMemo, useRef, useState, type KeyboardEvent, type ReactNode } from "react";
import { csv } from "@/lib/format";
import { common } from "@/lib/strings";

export type Column<T> = {
  key: string;
  title: string;
  /** The value by which it sorts, and which goes into the CSV. */
  value: (row: T) => string | number | null;
  /** How it looks; its value as text where absent. */
  cell?: (row: T) => ReactNode;
  /** A grid track such as "120px"; a share of the rest where absent. */
  width?: string;
  right?: boolean;
  /** The whole breadth of the card on a phone. */
  wide?: boolean;
};

/** Rows from the end at which more are asked for: what a hand scrolls while the desk answers. */
const NEAR = 60;

/**
 * A table of any length: only what is in sight is drawn. A click on a title sorts (unknown last), j and k
 * move, Enter opens, CSV takes all rows in their order; on a phone each row is a card.
 *
 * label: name for screen readers and of the CSV file. id: a row's key. onOpen: what Enter or a click does.
 * height: of the scroll area. actions: what stands left of CSV. onEnd: called when the last row comes near.
 */
export function DataTable<T>(props: {
  label: string;
  rows: readonly T[];
  columns: readonly Column<T>[];
  id: (row: T) => string | number;
  onOpen?: (row: T) => void;
  height?: number | string;
  actions?: ReactNode;
  onEnd?: () => void;
}): ReactNode {
  const { label, rows, columns, id, onOpen, height = "60vh", actions, onEnd } = props;
  const [order, setOrder] = useState<{ key: string; down: boolean } | null>(null);
  const [at, setAt] = useState(0);
  const scroll = useRef<HTMLDivElement>(null);
  const sorted = useMemo(() => {
    const value = columns.find(({ key }) => key === order?.key)?.value;
    if (!order || !value) return rows;
    const sign = order.down ? -1 : 1;
    return [...rows].sort((one, other) => {
      const a = value(one);
      const b = value(other);
      if (a === null || b === null) return a === b ? 0 : a === null ? 1 : -1;
      return sign * (typeof a === "number" && typeof b === "number" ? a - b : String(a).localeCompare(String(b)));
    });
  }, [rows, columns, order]);
  const virtual = useVirtualizer({ count: sorted.length, getScrollElement: () => scroll.current, estimateSize: () => 29, overscan: 12 });
  const inSight = virtual.getVirtualItems();
  const last = inSight.at(-1)?.index ?? -1;
  const atEnd = last >= sorted.length - NEAR;
  useEffect(() => {
    if (atEnd) onEnd?.();
  }, [atEnd, sorted.length, onEnd]);
  const tracks = columns.map(({ width }) => width ?? "minmax(80px, 1fr)").join(" ");
  const keys = (event: KeyboardEvent): void => {
    const row = sorted[at];
    if (event.key === "Enter" && event.target === event.currentTarget && row !== undefined) onOpen?.(row);
    const step = event.key === "j" || event.key === "ArrowDown" ? 1 : event.key === "k" || event.key === "ArrowUp" ? -1 : 0;
    if (step === 0) return;
    event.preventDefault();
    const next = Math.min(sorted.length - 1, Math.max(0, at + step));
    setAt(next);
    virtual.scrollToIndex(next);
  };
  const pick = useCallback((row: T, index: number) => {
    setAt(index);
    onOpen?.(row);
  }, [onOpen]);
  const save = (): void => {
    const text = csv([columns.map(({ title }) => title), ...sorted.map((row) => columns.map(({ value }) => value(row)))]);
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([text], { type: "text/csv" }));
    link.download = `${label}.csv`;
    link.click();
    URL.revokeObjectURL(link.href);
  };
  return (
    <div>
      <Group justify="space-between" mb={6}>
        <span className="dim">{common.rows(sorted.length)}</span>
        <Group gap={6}>{actions}<Button size="compact-xs" variant="default" onClick={save}>{common.csv}</Button></Group>
      </Group>
      <div className="table" ref={scroll} style={{ height }} role="grid" aria-label={label} aria-rowcount={sorted.length + 1} tabIndex={0} onKeyDown={keys}>
        <div className="tr head" role="row" style={{ gridTemplateColumns: tracks }}>
          {columns.map(({ key, title, right }) => {
            const sort = order?.key === key ? (order.down ? "descending" : "ascending") : "none";
            return (
              <span key={key} role="columnheader" aria-sort={sort} className={right ? "right" : ""}>
                {title !== "" && (
                  <button type="button" onClick={() => setOrder(sort === "descending" ? null : { key, down: sort === "ascending" })}>
                    {title}{sort === "ascending" ? " ↑" : sort === "descending" ? " ↓" : ""}
                  </button>
                )}
              </span>
            );
          })}
        </div>
        <div className="body" style={{ height: virtual.getTotalSize(), position: "relative" }}>
          <div role="rowgroup" style={{ position: "absolute", inset: "0 0 auto 0", transform: `translateY(${inSight[0]?.start ?? 0}px)` }}>
            {inSight.map(({ index }) => {
              const row = sorted[index];
              return row === undefined ? null : <Line key={id(row)} row={row} index={index} columns={columns} tracks={tracks} chosen={index === at} measure={virtual.measureElement} pick={pick} opens={onOpen !== undefined} />;
            })}
          </div>
        </div>
      </div>
    </div>
  );
}

/** One row, drawn again only where something of it changed: a scroll draws those that come into sight. */
function LineOf<T>(props: {
  row: T;
  index: number;
  columns: readonly Column<T>[];
  tracks: string;
  chosen: boolean;
  measure: (element: HTMLDivElement | null) => void;
  pick: (row: T, index: number) => void;
  opens: boolean;
}): ReactNode {
  const { row, index, columns, tracks, chosen, measure, pick, opens } = props;
  return (
    <div
      ref={measure} data-index={index} role="row" aria-rowindex={index + 2} aria-selected={chosen} className="tr"
      style={{ gridTemplateColumns: tracks, cursor: opens ? "pointer" : "default" }}
      onClick={() => pick(row, index)}
    >
      {columns.map(({ key, title, cell, value, right, wide }) => (
        <span key={key} role="gridcell" data-label={title} className={[right ? "num right" : "", wide ? "wide" : ""].join(" ").trim()}>{cell ? cell(row) : (value(row) ?? common.unknown)}</span>
      ))}
    </div>
  );
}
const Line = memo(LineOf) as typeof LineOf;
