import { Group, SegmentedControl } from "@mantine/core";
import { keepPreviousData, useQuery } from "@tanstack/react-query";
import { useMemo, type ReactNode } from "react";
import { Calendar } from "./Calendar";
import { histogram, sums, useJournal, useTrades, wanted, type Trade } from "./trades";
import { DataTable, type Column } from "@/components/DataTable";
import { Money } from "@/components/Numbers";
import { StatChart } from "@/components/StatChart";
import { StateOf } from "@/components/StateOf";
import { api, take, type Schemas } from "@/lib/api";
import { inR, money, percent } from "@/lib/format";
import { useMoment } from "@/lib/moment";
import * as read from "@/lib/queries";
import { common, journal as words } from "@/lib/strings";

const BY = ["symbol", "strategy", "side", "weekday", "hour", "tag", "reason"] as const;
type By = (typeof BY)[number];
type Figures = Schemas["Figures"];
const FIGURES = ["net", "trades", "win_rate_pct", "profit_factor", "expectancy_r", "average_win", "average_loss", "max_drawdown_of_closed"] as const;

/** What closed trades earned: in figures, by group, by result, over time and by day. */
export function Statistics(): ReactNode {
  const [filters, change] = useJournal();
  const by: By = BY.find((one) => one === filters.by) ?? "symbol";
  const asked = wanted(filters);
  const query = useQuery({
    queryKey: ["trades", "statistics", by, asked],
    queryFn: () => take(api.GET("/api/trades/statistics", { params: { query: { ...asked, by } as never } })),
    placeholderData: keepPreviousData,
  });
  const { rows, more } = useTrades(filters);
  return (
    <StateOf query={query} what={words.views.statistics} height={420} isEmpty={({ total }) => !total.values["trades"] && !total.values["unknown"]} empty={words.noStatistics}>
      {({ total, groups, by: grouped }) => (
        <div className="grid12">
          <section className="card span12"><Total figures={total} /></section>
          <section className="card span12">
            <Group justify="space-between" mb={8}>
              <h2 style={{ margin: 0, fontSize: 12 }} className="dim">{words.netBy}</h2>
              <SegmentedControl size="xs" value={by} aria-label={words.byLabel} title={words.byTip} onChange={(value) => change({ by: value })}
                style={{ overflowX: "auto", maxWidth: "100%" }} data={BY.map((value) => ({ value, label: words.by[value] }))} />
            </Group>
            <Groups by={grouped} groups={groups} />
          </section>
          <section className="card span6" title={words.equityTip}><h2>{words.equity}</h2><Equity rows={rows} /></section>
          <section className="card span6" title={words.distributionTip}><h2>{words.distribution}</h2><Distribution rows={rows} /></section>
          {more && <p className="dim span12">{words.partly(rows.length)}</p>}
          <section className="card span12"><Calendar /></section>
        </div>
      )}
    </StateOf>
  );
}

function figure(name: (typeof FIGURES)[number], figures: Figures, currency: string): ReactNode {
  const value = figures.values[name];
  if (value == null) return <span title={figures.undefined[name] ?? common.notKnown}>{common.unknown}</span>;
  if (name === "trades") return value;
  if (name === "win_rate_pct") return percent(value / 100, 1);
  if (name === "profit_factor") return value.toFixed(2);
  if (name === "expectancy_r") return inR(value);
  if (name === "max_drawdown_of_closed") return money(value, currency, { signed: false });
  return <Money value={value} currency={currency} />;
}

function Total({ figures }: { figures: Figures }): ReactNode {
  const { data: account } = useQuery(read.account);
  const unknown = figures.values["unknown"] ?? 0;
  return (
    <>
      <div style={{ display: "grid", gridTemplateColumns: "repeat(auto-fit, minmax(128px, 1fr))", gap: 12 }}>
        {FIGURES.map((name) => (
          <div key={name} title={words.figures[name][1]}>
            <div className="dim" style={{ fontSize: 11 }}>{words.figures[name][0]}</div>
            <div className="num" style={{ fontSize: 17, fontWeight: 600 }} data-figure={name}>{figure(name, figures, account?.currency ?? "")}</div>
          </div>
        ))}
      </div>
      {unknown > 0 && <div className="warn" style={{ marginTop: 6 }}>{words.unknownResults(unknown)}</div>}
    </>
  );
}

function Groups({ by, groups }: { by: By; groups: readonly Schemas["Group"][] }): ReactNode {
  const { data: account } = useQuery(read.account);
  const currency = account?.currency ?? "";
  const rows = useMemo(() => groups.map((group) => ({ ...group, name: group.name || words.nameless[by] })), [groups, by]);
  const option = useMemo(() => ({
    grid: { left: 8, right: 8, top: 12, bottom: 4, containLabel: true },
    tooltip: { trigger: "axis" },
    xAxis: { type: "category", data: rows.map(({ name }) => name), axisTick: { show: false } },
    yAxis: { type: "value", splitLine: { lineStyle: { opacity: 0.25 } } },
    series: [{ type: "bar", name: words.columns.net, barMaxWidth: 48, data: rows.map(({ values }) => signed(values["net"] ?? null)) }],
  }), [rows]);
  const columns = useMemo((): Column<Schemas["Group"]>[] => [
    { key: "name", title: words.by[by], width: "minmax(120px, 1.4fr)", value: ({ name }) => name, cell: ({ name }) => <b>{name}</b> },
    ...FIGURES.map((name): Column<Schemas["Group"]> => ({
      key: name, title: words.figures[name][0], width: "minmax(96px, 1fr)", right: true, value: ({ values }) => values[name] ?? null, cell: (group) => figure(name, group, currency),
    })),
  ], [by, currency]);
  return (
    <>
      <StatChart label={`${words.netBy}: ${rows.map(({ name, values }) => `${name} ${money(values["net"], currency)}`).join(", ")}`} option={option} height={200} />
      <DataTable label={words.groups} rows={rows} columns={columns} id={({ name }) => name} height={Math.min(320, 36 + 30 * rows.length)} />
    </>
  );
}

const tint = (value: number): string => getComputedStyle(document.documentElement).getPropertyValue(value < 0 ? "--down" : "--up").trim();
const signed = (value: number | null): { value: number | null; itemStyle?: { color: string } } => (value === null ? { value } : { value, itemStyle: { color: tint(value) } });

function Equity({ rows }: { rows: readonly Trade[] }): ReactNode {
  const { offset } = useMoment();
  const option = useMemo(() => ({
    grid: { left: 8, right: 12, top: 12, bottom: 4, containLabel: true },
    tooltip: { trigger: "axis" },
    useUTC: true,
    xAxis: { type: "time", axisLabel: { hideOverlap: true } },
    yAxis: { type: "value", scale: true, splitLine: { lineStyle: { opacity: 0.25 } } },
    series: [{
      type: "line", name: words.equity, step: "end", showSymbol: false, lineStyle: { width: 1.5 }, areaStyle: { opacity: 0.08 },
      data: sums(rows).map(([at, sum]) => [at + offset(at) * 1000, sum]), markLine: { silent: true, symbol: "none", label: { show: false }, data: [{ yAxis: 0 }] },
    }],
  }), [rows, offset]);
  return <StatChart label={words.equityTip} option={option} height={220} />;
}

function Distribution({ rows }: { rows: readonly Trade[] }): ReactNode {
  const steps = useMemo(() => histogram(rows.flatMap(({ r }) => r ?? [])), [rows]);
  const option = useMemo(() => ({
    grid: { left: 8, right: 12, top: 12, bottom: 4, containLabel: true },
    tooltip: { trigger: "axis" },
    xAxis: { type: "category", data: steps.map(({ from }) => from.toFixed(1)), axisTick: { alignWithLabel: false } },
    yAxis: { type: "value", minInterval: 1, splitLine: { lineStyle: { opacity: 0.25 } } },
    series: [{ type: "bar", name: words.figures.trades[0], barCategoryGap: "12%", data: steps.map(({ from, count }) => ({ value: count, itemStyle: { color: tint(from) } })) }],
  }), [steps]);
  if (steps.length === 0) return <div className="dim">{words.noR}</div>;
  return <StatChart label={`${words.distribution}: ${steps.filter(({ count }) => count > 0).map(({ from, count }) => `${from} R ${count}`).join(", ")}`} option={option} height={220} />;
}
