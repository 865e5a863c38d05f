import { Anchor, Button, Group, Select, Tabs, TextInput } from "@mantine/core";
import type { ReactNode } from "react";
import { Parity } from "./Parity";
import { Statistics } from "./Statistics";
import { Trades } from "./Trades";
import { useJournal, useTrades, WITHOUT, wanted } from "./trades";
import { journal as words } from "@/lib/strings";

const FILTERS = ["symbol", "strategy", "side", "reason", "tag", "since", "until"] as const;

/** What was traded and what came of it: closed trades, their statistics, and live days beside backtests. */
export function Page(): ReactNode {
  const [filters, change] = useJournal();
  const view = filters.view === "statistics" || filters.view === "parity" ? filters.view : "trades";
  return (
    <Tabs value={view} onChange={(chosen) => change({ view: chosen === "trades" ? null : chosen })} keepMounted={false}>
      <Group justify="space-between" mb={10} gap={12}>
        <h1 className="pagetitle" style={{ margin: 0 }}>{words.title}</h1>
        <Tabs.List>
          {(["trades", "statistics", "parity"] as const).map((one) => <Tabs.Tab key={one} value={one} py={6}>{words.views[one]}</Tabs.Tab>)}
        </Tabs.List>
      </Group>
      {view !== "parity" && <Filters />}
      <Tabs.Panel value="trades"><Trades /></Tabs.Panel>
      <Tabs.Panel value="statistics"><Statistics /></Tabs.Panel>
      <Tabs.Panel value="parity"><Parity /></Tabs.Panel>
    </Tabs>
  );
}

function Filters(): ReactNode {
  const [filters, change] = useJournal();
  const { rows } = useTrades({ ...filters, symbol: "", strategy: "", side: "", reason: "", tag: "", since: "", until: "" });
  const of = (values: readonly string[], chosen: string): string[] => [...new Set([...values, ...(chosen === "" || chosen === WITHOUT ? [] : [chosen])])].sort();
  const choice = (name: (typeof FILTERS)[number], label: string, data: readonly (string | { value: string; label: string })[], width = 130): ReactNode => (
    <Select key={name} size="xs" w={width} label={label} placeholder={words.filters.any} clearable searchable data={data} value={filters[name] || null}
      clearButtonProps={{ "aria-label": `${words.filters.clear}: ${label}` }} onChange={(value) => change({ [name]: value })} />
  );
  const query = new URLSearchParams(wanted(filters)).toString();
  return (
    <Group gap={8} align="end" mb={12}>
      {choice("symbol", words.filters.symbol, of(rows.map(({ symbol }) => symbol), filters.symbol), 110)}
      {choice("strategy", words.filters.strategy, [{ value: WITHOUT, label: words.filters.person }, ...of(rows.flatMap(({ strategy }) => strategy ?? []), filters.strategy)], 150)}
      {choice("side", words.filters.side, ["long", "short"], 90)}
      {choice("reason", words.filters.reason, of(rows.map(({ exit_reason }) => exit_reason), filters.reason), 120)}
      {choice("tag", words.filters.tag, [{ value: WITHOUT, label: words.filters.untagged }, ...of(rows.flatMap(({ tags }) => tags), filters.tag)])}
      {(["since", "until"] as const).map((name) => (
        <TextInput key={name} size="xs" w={136} type="date" label={words.filters[name]} title={words.filters.days} value={filters[name]}
          onChange={(event) => change({ [name]: event.currentTarget.value })} />
      ))}
      {FILTERS.some((name) => filters[name] !== "") && (
        <Button size="xs" variant="subtle" onClick={() => change(Object.fromEntries(FILTERS.map((name) => [name, null])))}>{words.filters.clear}</Button>
      )}
      <span style={{ flex: 1 }} />
      <Anchor size="xs" pb={7} href={`/api/trades/csv${query && `?${query}`}`} download="trades.csv" title={words.allTip}>{words.all}</Anchor>
    </Group>
  );
}
