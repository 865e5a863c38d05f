import type { ReactNode } from "react";
import { underwater, type Report, type Trade } from "./read";
import { StatChart } from "@/components/StatChart";
import type { Schemas } from "@/lib/api";
import { money } from "@/lib/format";
import { common, research as words } from "@/lib/strings";

type Curve = Schemas["Equity"];
const pairs = (time: readonly number[], values: readonly number[]): [number, number | null][] => time.map((at, n) => [at * 1000, values[n] ?? null]);
const line = (name: string, data: [number, number | null][], more: object = {}): object => ({ name, type: "line", data, showSymbol: false, lineStyle: { width: 1.3 }, ...more });
const ZOOM = { dataZoom: [{ type: "inside" }], useUTC: true, legend: { top: 0, right: 0, textStyle: { color: "#8a93a3" } }, tooltip: { trigger: "axis" } };

export function EquityChart({ curve, currency }: { curve: Curve; currency: string }): ReactNode {
  const option = {
    ...ZOOM, xAxis: { type: "time" }, yAxis: { type: "value", scale: true, name: currency, splitLine: { lineStyle: { opacity: 0.2 } } }, grid: { left: 64, right: 16, top: 30, bottom: 28 },
    series: [line(words.equity, pairs(curve.time, curve.equity)), line(words.atWorst, pairs(curve.time, curve.worst), { lineStyle: { width: 0.7, opacity: 0.7 } })],
  };
  return <StatChart label={words.equityTitle} option={option} height={280} />;
}

export function Underwater({ curve }: { curve: Curve }): ReactNode {
  const option = {
    ...ZOOM, xAxis: { type: "time" }, yAxis: { type: "value", name: "%", max: 0, splitLine: { lineStyle: { opacity: 0.2 } } }, grid: { left: 64, right: 16, top: 30, bottom: 28 },
    series: [line(words.equity, pairs(curve.time, underwater(curve.equity, curve.equity)), { areaStyle: { opacity: 0.15 } }), line(words.atWorst, pairs(curve.time, underwater(curve.equity, curve.worst)), { lineStyle: { width: 0.7, opacity: 0.7 } })],
  };
  return <StatChart label={words.underwaterTip} option={option} height={200} />;
}

export function Overlay({ curves }: { curves: readonly { name: string; balance: number; curve: Curve }[] }): ReactNode {
  const option = {
    ...ZOOM, xAxis: { type: "time" }, yAxis: { type: "value", scale: true, splitLine: { lineStyle: { opacity: 0.2 } } }, grid: { left: 56, right: 16, top: 30, bottom: 28 },
    series: curves.map(({ name, balance, curve }) => line(name, pairs(curve.time, curve.equity.map((value) => (value / balance) * 100)))),
  };
  return <StatChart label={words.overlay} option={option} height={340} />;
}

export function Scatter({ trades, currency }: { trades: readonly Trade[]; currency: string }): ReactNode {
  const points = (won: boolean): [number, number][] => trades.filter(({ net }) => net > 0 === won).map(({ mae, mfe }) => [mae, mfe]);
  const axis = (name: string): object => ({ type: "value", name: `${name}, ${currency}`, nameLocation: "middle", nameGap: 30, splitLine: { lineStyle: { opacity: 0.2 } } });
  const option = {
    legend: { top: 0, right: 0, textStyle: { color: "#8a93a3" } }, tooltip: { trigger: "item" }, xAxis: axis(words.mae), yAxis: { ...axis(words.mfe), nameGap: 44 }, grid: { left: 64, right: 16, top: 30, bottom: 46 },
    series: [{ name: words.wins, type: "scatter", symbolSize: 4, data: points(true) }, { name: words.losses, type: "scatter", symbol: "triangle", symbolSize: 5, data: points(false) }],
  };
  return <StatChart label={words.scatter} option={option} height={300} />;
}

const MONTHS = ["01", "02", "03", "04", "05", "06", "07", "08", "09", "10", "11", "12"];

export function Months({ report, currency }: { report: Report; currency: string }): ReactNode {
  const months = report.breakdowns["month"] ?? {};
  const years = [...new Set(Object.keys(months).map((name) => name.slice(0, 4)))].sort();
  const most = Math.max(1, ...Object.values(months).map(({ net }) => Math.abs(net)));
  const tint = (net: number): string => `color-mix(in srgb, var(${net >= 0 ? "--up" : "--down"}) ${Math.round((Math.abs(net) / most) * 55)}%, transparent)`;
  return (
    <div style={{ overflowX: "auto" }} tabIndex={0} role="region" aria-label={words.months}>
      <table style={{ borderCollapse: "collapse", width: "100%", minWidth: 640, fontSize: 12 }}>
        <thead><tr><th scope="col" className="dim" style={{ textAlign: "left" }}>{words.year}</th>{MONTHS.map((month) => <th scope="col" key={month} className="dim" style={{ textAlign: "right", padding: "2px 6px" }}>{month}</th>)}<th scope="col" className="dim" style={{ textAlign: "right" }}>Σ</th></tr></thead>
        <tbody>
          {years.map((year) => {
            const nets = MONTHS.map((month) => months[`${year}-${month}`]);
            const sum = nets.reduce((all, one) => all + (one?.net ?? 0), 0);
            return (
              <tr key={year}>
                <th scope="row" style={{ textAlign: "left" }}>{year}</th>
                {nets.map((one, at) => <td key={at} className="num" style={{ textAlign: "right", padding: "2px 6px", background: one ? tint(one.net) : "none" }} title={one ? `${year}-${MONTHS[at] ?? ""}: ${money(one.net, currency)}, ${one.trades}` : ""}>{one ? money(one.net, "", { digits: 0 }) : ""}</td>)}
                <td className="num" style={{ textAlign: "right", fontWeight: 600 }}>{money(sum, "", { digits: 0 })}</td>
              </tr>
            );
          })}
        </tbody>
      </table>
    </div>
  );
}

const STEPS = ["spread_cost", "slippage_cost", "gap_cost", "commission", "swap"] as const;

/** gross − spreads − slippage − gaps − commission + swap = net. */
export function Waterfall({ costs, currency }: { costs: Report["cost_waterfall"]; currency: string }): ReactNode {
  const gross = costs["gross"] ?? 0;
  let level = gross;
  const steps: { name: keyof typeof words.steps; from: number; to: number; value: number }[] = [{ name: "gross", from: 0, to: gross, value: gross }];
  for (const name of STEPS) {
    const value = (name === "swap" ? 1 : -1) * (costs[name] ?? 0);
    steps.push({ name, from: level, to: level + value, value });
    level += value;
  }
  steps.push({ name: "net", from: 0, to: costs["net"] ?? level, value: costs["net"] ?? level });
  const ends = steps.flatMap(({ from, to }) => [from, to]);
  const [low, high] = [Math.min(0, ...ends), Math.max(0, ...ends)];
  const share = (value: number): number => ((value - low) / (high - low || 1)) * 100;
  return steps.map(({ name, from, to, value }) => (
    <div key={name} className="row" style={{ alignItems: "center" }}>
      <span style={{ width: 84 }} className={name === "net" || name === "gross" ? "" : "dim"}>{words.steps[name]}</span>
      <span style={{ flex: 1, position: "relative", height: 14 }} aria-hidden>
        <i style={{ position: "absolute", top: 0, bottom: 0, left: `${share(0)}%`, width: 1, background: "var(--desk-line)" }} />
        <i style={{ position: "absolute", top: 2, bottom: 2, left: `${share(Math.min(from, to))}%`, width: `max(1px, ${share(Math.max(from, to)) - share(Math.min(from, to))}%)`, background: value >= 0 ? "var(--up)" : "var(--down)" }} />
      </span>
      <span className={`num ${value > 0 ? "up" : value < 0 ? "down" : ""}`} style={{ width: 126, textAlign: "right" }}>{costs[name] === null ? common.unknown : money(value, currency)}</span>
    </div>
  ));
}
