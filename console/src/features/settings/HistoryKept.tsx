import { Button, Modal } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { useState, type ReactNode } from "react";
import { JsonView } from "@/components/JsonView";
import { RelativeTime } from "@/components/Numbers";
import { StateOf } from "@/components/StateOf";
import { api, take, type Schemas } from "@/lib/api";
import { settings } from "@/lib/strings";

const words = settings.history;
const colour = (verdict: string): string => (verdict === "good" ? "up" : verdict === "usable" ? "warn" : "danger");

/** Imports that were made, with what each is worth. */
export function Imports({ reports }: { reports: readonly Schemas["ImportReport"][] }): ReactNode {
  const [open, setOpen] = useState<string | null>(null);
  return (
    <section className="card" style={{ marginBottom: 12 }}>
      <h2>{words.reports}</h2>
      {reports.length === 0 && <div className="dim">{words.noReports}</div>}
      {reports.map((one) => (
        <div key={`${one.symbol} ${one.timeframe} ${one.made_at}`} className="row" style={{ flexWrap: "wrap" }}>
          <span className="what">
            <b>{one.symbol} {one.timeframe}</b> <span className={colour(one.verdict)}>{one.verdict}</span>
            {one.bid && <span className="dim num"> {words.added} {one.bid.added.toLocaleString("en-US")} · {one.bid.first} – {one.bid.last}</span>}
            {one.trust.map((line) => <div key={line} className="dim">{line}</div>)}
          </span>
          <RelativeTime at={one.made_at} wall />
          {one.report !== null && <Button size="compact-xs" variant="default" onClick={() => setOpen(one.report)}>{words.open}</Button>}
        </div>
      ))}
      <Modal opened={open !== null} onClose={() => setOpen(null)} size="xl" title={words.report}>{open !== null && <Whole name={open} />}</Modal>
    </section>
  );
}

function Whole({ name }: { name: string }): ReactNode {
  const query = useQuery({ queryKey: ["history", "report", name], queryFn: () => take(api.GET("/api/history/reports/{name}", { params: { path: { name } } })) });
  return <StateOf query={query} what={words.report} height={400}>{(report) => <JsonView value={report} maxHeight={560} />}</StateOf>;
}

/** Series that are kept; what one is worth is computed when asked for. */
export function Series({ series }: { series: readonly Schemas["SeriesRow"][] }): ReactNode {
  return (
    <section className="card">
      <h2>{words.series}</h2>
      {series.length === 0 && <div className="dim">{words.noSeries}</div>}
      {series.map((one) => <OneSeries key={`${one.kept} ${one.symbol} ${one.timeframe}`} one={one} />)}
    </section>
  );
}

function OneSeries({ one }: { one: Schemas["SeriesRow"] }): ReactNode {
  const [asked, setAsked] = useState(false);
  const query = useQuery({
    queryKey: ["history", "check", one.kept, one.symbol, one.timeframe],
    queryFn: () => take(api.GET("/api/history/check", { params: { query: { symbol: one.symbol, timeframe: one.timeframe, source: one.kept } } })),
    enabled: asked,
    staleTime: 60_000,
  });
  return (
    <div className="row" style={{ display: "block" }}>
      <div style={{ display: "flex", gap: 8 }}>
        <span style={{ flex: 1 }}><b>{one.symbol} {one.timeframe}</b> <span className="dim">{words.kept[one.kept] ?? one.kept}</span></span>
        <Button size="compact-xs" variant="default" loading={query.isFetching} onClick={() => (asked ? void query.refetch() : setAsked(true))}>{words.check}</Button>
      </div>
      {asked && (
        <StateOf query={query} what={words.check} height={40}>
          {({ series }) => series.map((found) => (
            <div key={found.timeframe}><span className={colour(found.verdict)}>{found.verdict}</span>{found.trust.map((line) => <div key={line} className="dim">{line}</div>)}</div>
          ))}
        </StateOf>
      )}
    </div>
  );
}
