import { queryOptions } from "@tanstack/react-query";
import { api, take, type Schemas } from "@/lib/api";
import { clock } from "@/lib/format";

export type Run = Schemas["BacktestRow"];
export type Trade = Schemas["BacktestTrade"];
type Group = { trades: number; wins: number; losses: number; win_rate_pct: number | null; net: number; expectancy: number | null };
export type Figures = Record<string, number | string | null>;

/** report.json as far as the page shows it; docs/backtests.md says what stands in it. */
export type Report = {
  metrics: Figures;
  undefined: Record<string, string>;
  criticism: string[];
  not_examined: string[];
  notes: string[];
  signals: number;
  refusals: Record<string, number>;
  cost_waterfall: Record<string, number | null>;
  ambiguity_band: { ambiguous_trades: number; net_worst_reading: number; net_best_reading: number };
  breakdowns: Record<string, Record<string, Group> | null>;
  provenance: Record<string, unknown>;
  data_quality: Record<string, unknown>;
  options: { reading: string };
};

export const reportOf = (id: string) =>
  queryOptions({
    queryKey: ["backtests", "one", id],
    queryFn: async () => {
      const { row, report } = await take(api.GET("/api/backtests/{backtest_id}", { params: { path: { backtest_id: id } } }));
      return { row, report: report as unknown as Report };
    },
  });
export const equityOf = (id: string, points: number) =>
  queryOptions({
    queryKey: ["backtests", "equity", id, points],
    queryFn: () => take(api.GET("/api/backtests/{backtest_id}/equity", { params: { path: { backtest_id: id }, query: { points } } })),
    staleTime: Infinity,
  });
type Strategy = { id: string; symbol: string; symbols: string[] };
export const strategies = queryOptions({
  queryKey: ["strategies", "names"],
  queryFn: async () => ({ strategies: (await take(api.GET("/api/strategies"))).strategies as unknown as Strategy[] }),
});

export const currencyOf = ({ account }: Run): string => (typeof account["currency"] === "string" ? account["currency"] : "");
export const day = (at: string): string => clock(Date.parse(at), 0, { seconds: false }).slice(0, 10);
export const periodOf = ({ period }: Run): string => `${day(period.from)} – ${day(period.to)}`;
export const nameOf = (run: Run): string => `${run.strategies.join(" + ")} · ${run.symbols.join(" + ")} ${run.timeframe}`;

/** Per cent below the highest close so far, by equity of closes or by the worst inside bars. */
export function underwater(equity: readonly number[], lowest: readonly number[]): number[] {
  let high = -Infinity;
  return equity.map((value, at) => {
    const fall = high > 0 ? Math.min(0, ((lowest[at] ?? value) / high - 1) * 100) : 0;
    high = Math.max(high, value);
    return fall;
  });
}
