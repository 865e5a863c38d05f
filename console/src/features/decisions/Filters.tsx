import { Button, Group, Select, TextInput } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import type { ReactNode } from "react";
import { plain } from "./shapes";
import { useFilters } from "@/lib/address";
import { api, take } from "@/lib/api";
import { decisions as words } from "@/lib/strings";

const NAMES = ["symbol", "strategy", "action", "signal", "refused_by", "idea", "from", "to"] as const;
const DAY = 86_400_000;
const instant = (day: string, later = 0): string | undefined => {
  const at = Date.parse(`${day}T00:00:00Z`);
  return Number.isNaN(at) ? undefined : new Date(at + later).toISOString();
};

/** The filters of the address as the routes take them; the last day is included. */
export function useWanted() {
  const [found, change] = useFilters(NAMES);
  const signal = (["long", "short", "conflict", "none"] as const).find((one) => one === found.signal);
  const query = {
    ...(found.symbol && { symbol: found.symbol }),
    ...(found.strategy && { strategy: found.strategy }),
    ...(found.action && { action: found.action }),
    ...(signal && { signal }),
    ...(found.refused_by && { refused_by: found.refused_by }),
    ...(found.idea && { idea: found.idea === "true" }),
    ...(instant(found.from) && { since: instant(found.from) as string }),
    ...(instant(found.to) && { until: instant(found.to, DAY) as string }),
  };
  return { found, change, query };
}

/** Filters whose choices are what the journal holds, with counts. */
export function Filters(): ReactNode {
  const { found, change } = useWanted();
  const { data } = useQuery({ queryKey: ["decisions", "choices"], queryFn: () => take(api.GET("/api/decisions/stats")), staleTime: 30_000 });
  const choices = (counts: Record<string, number> | undefined, now: string): { value: string; label: string }[] => {
    const known = Object.entries(counts ?? {}).map(([value, count]) => ({ value, label: `${plain(value)} (${count.toLocaleString("en-US")})` }));
    return now && !known.some(({ value }) => value === now) ? [...known, { value: now, label: now }] : known;
  };
  const checks = data && Object.fromEntries(Object.entries(data.by_check).map(([name, count]) => [name, count.decisions]));
  const select = (label: string, name: (typeof NAMES)[number], data_: { value: string; label: string }[], width: number): ReactNode => (
    <Select
      size="xs" w={width} label={label} placeholder={words.any} clearable searchable data={data_} value={found[name] || null}
      onChange={(value) => change({ [name]: value })} clearButtonProps={{ "aria-label": `${words.clear}: ${label}` }}
    />
  );
  return (
    <Group gap={8} mb={12} align="flex-end" className="filters">
      {select(words.symbol, "symbol", choices(data?.by_symbol, found.symbol), 150)}
      {select(words.strategy, "strategy", choices(data?.by_strategy, found.strategy), 230)}
      {select(words.action, "action", choices(data?.by_action, found.action), 160)}
      {select(words.signal, "signal", choices(data?.by_signal, found.signal), 130)}
      {select(words.check, "refused_by", choices(checks, found.refused_by), 210)}
      {select(words.idea, "idea", [{ value: "true", label: words.yes }, { value: "false", label: words.no }], 110)}
      <TextInput size="xs" w={135} type="date" label={words.from} value={found.from} onChange={(event) => change({ from: event.currentTarget.value })} />
      <TextInput size="xs" w={135} type="date" label={words.to} value={found.to} onChange={(event) => change({ to: event.currentTarget.value })} />
      {NAMES.some((name) => found[name]) && (
        <Button size="xs" variant="subtle" onClick={() => change(Object.fromEntries(NAMES.map((name) => [name, null])))}>{words.clear}</Button>
      )}
    </Group>
  );
}
