import "./research.css";
import { Button, Group } from "@mantine/core";
import { useInfiniteQuery, useQuery } from "@tanstack/react-query";
import { Link, useNavigate, useParams } from "@tanstack/react-router";
import { useCallback, useEffect, useMemo, type ReactNode } from "react";
import { EquityChart, Months, Scatter, Underwater, Waterfall } from "./charts";
import { Figure, KEY } from "./figures";
import { currencyOf, equityOf, nameOf, periodOf, reportOf, type Report, type Run } from "./read";
import { OnCandles, Trades } from "./Trades";
import { ConfirmButton } from "@/components/ConfirmButton";
import { RelativeTime } from "@/components/Numbers";
import { StateOf } from "@/components/StateOf";
import { api, take } from "@/lib/api";
import { money } from "@/lib/format";
import { useMay } from "@/lib/may";
import { useWrite } from "@/lib/mutation";
import { common, research as words } from "@/lib/strings";

/** Trades read for the charts; the table reads on. */
const DRAWN = 20_000;

/** A kept backtest: what it says, and what speaks against it. */
export function Page(): ReactNode {
  const { id = "" }: { id?: string } = useParams({ strict: false });
  const query = useQuery(reportOf(id));
  return <StateOf query={query} what={words.one} height={600}>{({ row, report }) => <Shown key={row.id} run={row} report={report} />}</StateOf>;
}

function Shown({ run, report }: { run: Run; report: Report }): ReactNode {
  const currency = currencyOf(run);
  const curve = useQuery(equityOf(run.id, 2000));
  const pages = useInfiniteQuery({
    queryKey: ["backtests", "trades", run.id],
    queryFn: ({ pageParam }) => take(api.GET("/api/backtests/{backtest_id}/trades", { params: { path: { backtest_id: run.id }, query: { limit: 1000, ...(pageParam && { cursor: pageParam }) } } })),
    initialPageParam: "", getNextPageParam: ({ next_cursor }) => next_cursor, staleTime: Infinity,
  });
  const trades = useMemo(() => pages.data?.pages.flatMap(({ items }) => items) ?? [], [pages.data]);
  const total = pages.data?.pages[0]?.total ?? 0;
  const { hasNextPage, isFetching, fetchNextPage } = pages;
  const more = useCallback((): void => {
    if (hasNextPage && !isFetching) void fetchNextPage();
  }, [hasNextPage, isFetching, fetchNextPage]);
  const some = trades.length < DRAWN;
  useEffect(() => {
    if (some) more();
  }, [some, more]);
  return (
    <article className="report">
      <Head run={run} />
      <div className="grid12">
        <section className="card span12"><h2>{words.verdict}</h2><Verdict report={report} currency={currency} /></section>
        <section className="card span12">
          <h2>{words.figures}</h2>
          <div style={{ display: "grid", gridTemplateColumns: "repeat(auto-fill, minmax(138px, 1fr))", gap: "12px 16px" }}>
            {KEY.map((name) => <Figure key={name} name={name} report={report} currency={currency} />)}
          </div>
        </section>
        <section className="card span12"><h2>{words.equityTitle}</h2><StateOf query={curve} what={words.equity} height={280} isEmpty={({ time }) => time.length === 0} empty={words.noEquity}>{(data) => <EquityChart curve={data} currency={currency} />}</StateOf></section>
        <section className="card span12"><h2 title={words.underwaterTip}>{words.underwater}</h2><StateOf query={curve} what={words.underwater} height={200} isEmpty={({ time }) => time.length === 0} empty={words.noEquity}>{(data) => <Underwater curve={data} />}</StateOf></section>
        <section className="card span12"><h2>{words.months}{currency && `, ${currency}`}</h2><Months report={report} currency={currency} /></section>
        <section className="card span6"><h2>{words.waterfall}</h2><Waterfall costs={report.cost_waterfall} currency={currency} /></section>
        <section className="card span6"><h2>{words.bandTitle}</h2><Band report={report} currency={currency} /></section>
        <section className="card span6"><h2>{words.scatter}</h2><StateOf query={pages} what={words.scatter} height={300}>{() => <><Scatter trades={trades} currency={currency} /><div className="dim">{words.scatterPart(trades.length, total)}</div></>}</StateOf></section>
        <section className="card span6"><h2>{words.refusals}</h2><Refusals report={report} /></section>
        <section className="card span12 screen"><h2>{words.candles}</h2><OnCandles run={run} trades={trades} /></section>
        <section className="card span12"><h2>{words.tradesTitle}</h2><StateOf query={pages} what={words.tradesTitle} height={380}>{() => <Trades trades={trades} total={total} more={more} currency={currency} />}</StateOf></section>
        <section className="card span4"><h2>{words.provenance}</h2><List of={{ id: run.id, ...report.provenance }} /></section>
        <section className="card span4"><h2>{words.quality}</h2><List of={report.data_quality} /></section>
        <section className="card span4"><h2>{words.notes}</h2>{report.notes.map((note) => <div key={note} className="row">{note}</div>)}</section>
        <section className="card span12">
          <h2>{words.allFigures}</h2>
          <div style={{ columns: "300px", columnGap: 24 }}><List of={report.metrics} why={report.undefined} /></div>
        </section>
      </div>
    </article>
  );
}

function Head({ run }: { run: Run }): ReactNode {
  const may = useMay();
  const navigate = useNavigate();
  const remove = useWrite(() => take(api.DELETE("/api/backtests/{backtest_id}", { params: { path: { backtest_id: run.id } } })), { nouns: ["backtests"], done: () => void navigate({ to: "/research" }) });
  return (
    <Group justify="space-between" mb={12} align="flex-end">
      <div>
        <Link to="/research" className="dim">← {words.back}</Link>
        <h1 style={{ fontSize: 18, margin: "6px 0 2px" }}>{nameOf(run)}</h1>
        <div className="dim">
          <span className="num">{periodOf(run)}</span> · {run.period.bars.toLocaleString("en-US")} bars · {words.computed.toLowerCase()} <RelativeTime at={run.computed_at} wall />
          {run.stale.length > 0 && <span className="warn"> · {words.stale}: {run.stale.join("; ")}</span>}
        </div>
      </div>
      <Group gap={6} className="screen">
        <Button size="compact-sm" variant="default" onClick={() => window.print()}>{words.print}</Button>
        <Button size="compact-sm" variant="default" component="a" href={`/api/backtests/${run.id}/report.html`} target="_blank" rel="noreferrer">{words.stored}</Button>
        {may.trade && <ConfirmButton size="compact-sm" action={words.removeAction} loading={remove.isPending} onConfirm={() => remove.mutate(undefined)}>{words.remove}</ConfirmButton>}
      </Group>
    </Group>
  );
}

function Verdict({ report, currency }: { report: Report; currency: string }): ReactNode {
  const { net_profit: net, trades, p_value_mean_trade: p } = report.metrics;
  const said = trades === 0 || typeof net !== "number" ? words.verdictNone
    : net <= 0 ? words.verdictLoss(money(Math.abs(net), currency, { signed: false }))
      : words.verdictEarned(money(net, currency, { signed: false }), typeof p === "number" ? p.toPrecision(2) : common.unknown);
  return (
    <>
      <p style={{ fontSize: 17, fontWeight: 600, margin: "0 0 8px" }}>{said}</p>
      <div className="grid12">
        <div className="span8"><b className="warn">{words.criticism}</b>{report.criticism.length === 0 ? <div className="dim">{words.nothingAgainst}</div> : <ul style={{ margin: "4px 0 0", paddingLeft: 18 }}>{report.criticism.map((one) => <li key={one}>{one}</li>)}</ul>}</div>
        <div className="span4"><b className="dim">{words.notExamined}</b><ul className="dim" style={{ margin: "4px 0 0", paddingLeft: 18 }}>{report.not_examined.map((one) => <li key={one}>{one}</li>)}</ul></div>
      </div>
    </>
  );
}

function Band({ report, currency }: { report: Report; currency: string }): ReactNode {
  const { ambiguous_trades: n, net_worst_reading: worst, net_best_reading: best } = report.ambiguity_band;
  const used = report.options.reading;
  const row = (name: string, value: number, here: boolean): ReactNode => (
    <div className="row"><span className="what">{name} {here && <span className="dim">({words.used})</span>}</span><span className={`num ${value >= 0 ? "up" : "down"}`}>{money(value, currency)}</span></div>
  );
  return (
    <>
      <p style={{ margin: "0 0 6px" }}>{words.band(n, Number(report.metrics["trades"] ?? 0))}</p>
      {row(words.worst, worst, used === "worst")}
      {row(words.best, best, used === "best")}
      <div className="row"><span className="what dim">{words.bandWidth}</span><span className="num">{money(best - worst, currency, { signed: false })}</span></div>
    </>
  );
}

function Refusals({ report }: { report: Report }): ReactNode {
  const list = Object.entries(report.refusals).sort(([, one], [, other]) => other - one);
  const most = Math.max(1, report.signals);
  return (
    <>
      <p style={{ margin: "0 0 6px" }}>{words.signals(report.signals)}</p>
      {list.map(([check, count]) => (
        <div key={check} className="row" style={{ alignItems: "center" }}>
          <span style={{ width: 150 }}>{check.replaceAll("_", " ")}</span>
          <span className="bar" style={{ flex: 1 }}><i style={{ width: `${Math.min(100, (count / most) * 100)}%` }} /></span>
          <span className="num" style={{ width: 64, textAlign: "right" }}>{count.toLocaleString("en-US")}</span>
        </div>
      ))}
    </>
  );
}

function List({ of: values, why = {} }: { of: Record<string, unknown>; why?: Record<string, string> }): ReactNode {
  const text = (value: unknown): string =>
    value === null || value === undefined ? common.unknown : typeof value === "number" ? String(Number(value.toPrecision(8))) : typeof value === "string" ? value : JSON.stringify(value);
  return Object.entries(values).map(([name, value]) => (
    <div key={name} className="row" style={{ breakInside: "avoid" }} title={why[name]}>
      <span className="what dim">{name.replaceAll("_", " ")}</span>
      <span className="num" style={{ maxWidth: "60%", overflow: "hidden", textOverflow: "ellipsis" }} title={why[name] ?? text(value)}>{text(value)}</span>
    </div>
  ));
}
