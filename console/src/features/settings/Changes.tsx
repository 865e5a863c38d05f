import type { ReactNode } from "react";
import { Head, useChanges } from "./shared";
import { DataTable, type Column } from "@/components/DataTable";
import { Moment } from "@/components/Numbers";
import { StateOf } from "@/components/StateOf";
import type { Schemas } from "@/lib/api";
import { settings } from "@/lib/strings";

const words = settings.changes;
type Change = Schemas["SettingsChange"];
const text = (value: unknown): string => (value === null ? settings.range.nothing : typeof value === "string" ? value : JSON.stringify(value));
const object = (value: unknown): value is Record<string, unknown> => value !== null && typeof value === "object" && !Array.isArray(value);

/** "max positions: 10 → 4"; of a part only what differs in it. */
export function what({ changes }: Pick<Change, "changes">): string {
  return Object.entries(changes)
    .flatMap(([key, [before, after]]) => {
      const name = key.replaceAll("_", " ");
      if (!object(before) || !object(after)) return [`${name}: ${text(before ?? null)} → ${text(after ?? null)}`];
      const differ = [...new Set([...Object.keys(before), ...Object.keys(after)])].filter((inner) => JSON.stringify(before[inner]) !== JSON.stringify(after[inner]));
      return differ.map((inner) => `${name}, ${inner.replaceAll("_", " ")}: ${text(before[inner] ?? null)} → ${text(after[inner] ?? null)}`);
    })
    .join(" · ");
}

const COLUMNS: readonly Column<Change>[] = [
  { key: "at", title: words.at, width: "140px", value: ({ at }) => at, cell: ({ at }) => <Moment at={at} /> },
  { key: "by", title: words.by, width: "90px", value: ({ by }) => by, cell: ({ by }) => <b>{by}</b> },
  { key: "file", title: words.file, width: "190px", value: ({ file }) => file },
  { key: "what", title: words.what, width: "minmax(160px, 2fr)", value: what, cell: (row) => <span title={what(row)}>{what(row)}</span>, wide: true },
  { key: "why", title: words.why, width: "minmax(100px, 1fr)", value: ({ reason }) => reason, cell: ({ reason }) => <span title={reason}>{reason}</span>, wide: true },
];

/** Every change of the settings. */
export function Changes(): ReactNode {
  const query = useChanges();
  return (
    <>
      <Head title={settings.sections.changes} about={words.about} />
      <StateOf query={query} what={settings.sections.changes} height={300} isEmpty={({ items }) => items.length === 0} empty={words.none}>
        {({ items }) => <DataTable label={settings.sections.changes} rows={items} columns={COLUMNS} id={({ seq }) => seq} height="calc(100dvh - 220px)" />}
      </StateOf>
    </>
  );
}
