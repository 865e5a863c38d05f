import { useQuery, type UseQueryResult } from "@tanstack/react-query";
import { useMemo, type ReactNode } from "react";
import type { Idea } from "./model";
import { RelativeTime } from "@/components/Numbers";
import { StateOf } from "@/components/StateOf";
import { api, take, type Schemas } from "@/lib/api";
import { ideas as words } from "@/lib/strings";

const HOURS = 12;
type Window = { begin?: string; end?: string; from?: string; to?: string; title?: string; event?: { title?: string } };
export type Ahead = { query: UseQueryResult<Schemas["Embargoes"]>; spans: { from: string; to: string; title: string }[] };

/** The pauses around news of a symbol that are on or ahead. */
export function useAhead(symbol: string): Ahead {
  const query = useQuery({
    queryKey: ["calendar", "embargoes", symbol, HOURS],
    queryFn: () => take(api.GET("/api/calendar/embargoes", { params: { query: { symbol, hours: HOURS } } })),
    refetchInterval: 60_000,
  });
  const { data } = query;
  const spans = useMemo(() => {
    const all = ((data?.windows ?? []) as Window[]).map((one) => ({
      from: one.begin ?? one.from ?? data?.as_of ?? "", to: one.end ?? one.to ?? data?.until ?? "", title: one.title ?? one.event?.title ?? "",
    }));
    return [...new Map(all.map((one) => [one.from + one.to + one.title, one])).values()];
  }, [data]);
  return { query, spans };
}

/** What the news say of the symbol, and when they pause it. */
export function Around({ idea, ahead }: { idea: Idea; ahead: Ahead }): ReactNode {
  const articles = useQuery({
    queryKey: ["news", "of", idea.symbol],
    queryFn: () => take(api.GET("/api/news", { params: { query: { symbol: idea.symbol, limit: 6, to: idea.result?.closed_at ?? null } } })),
    refetchInterval: 60_000,
  });
  return (
    <>
      {idea.circumstances.embargo && <div className="warn">{idea.circumstances.embargo}</div>}
      <StateOf query={ahead.query} what={words.news} height={20}>
        {({ known, reason }) => (
          <>
            {!known && <div className="warn">{words.calendarUnknown}: {reason}</div>}
            {known && ahead.spans.length === 0 && <div className="dim">{words.noPause(HOURS)}</div>}
            {ahead.spans.map(({ from, to, title }) => <div key={from + title} className="row"><span className="what warn">{title}</span><RelativeTime at={from} />–<RelativeTime at={to} /></div>)}
          </>
        )}
      </StateOf>
      <StateOf query={articles} what={words.news} height={40} isEmpty={(data) => !data.articles?.length} empty={articles.data?.reason ?? words.noNews}>
        {({ articles: list }) => list?.map((one) => (
          <div key={one.id} className="row">
            <span className="what">{one.link ? <a href={one.link} target="_blank" rel="noreferrer noopener">{one.title}</a> : one.title} <span className="dim">{one.feed}</span></span>
            <RelativeTime at={one.published} />
          </div>
        ))}
      </StateOf>
    </>
  );
}
