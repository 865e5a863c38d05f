import { Button, Group as Row } from "@mantine/core";
import { useDebouncedValue } from "@mantine/hooks";
import { keepPreviousData, useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { useState, type ReactNode } from "react";
import { Acts } from "./Acts";
import { Around, useAhead } from "./Around";
import { Gate } from "./Gate";
import { History } from "./History";
import { Levels } from "./Levels";
import { sideOf } from "./List";
import { digits, marksOf, waits, type Field, type Idea, type Overrides } from "./model";
import { Score } from "./Score";
import { LevelChart } from "@/components/LevelChart";
import { Money, RelativeTime } from "@/components/Numbers";
import { StateOf } from "@/components/StateOf";
import { api, DeskError, take } from "@/lib/api";
import { inR, price } from "@/lib/format";
import { useMay } from "@/lib/may";
import * as read from "@/lib/queries";
import { ideas as words } from "@/lib/strings";

/** One idea: its levels on the chart, what approving would lead to, why, and who did what. */
export function Detail({ id, back }: { id: string; back: () => void }): ReactNode {
  const query = useQuery({
    queryKey: ["trade-ideas", "one", id],
    queryFn: async () => (await take(api.GET("/api/trade-ideas/{idea_id}", { params: { path: { idea_id: id } } }))) as unknown as Idea,
    refetchInterval: 10_000,
  });
  return (
    <section className="ideas-detail" aria-label={query.data ? `${query.data.symbol} ${query.data.side}` : words.title}>
      <Button className="ideas-back" size="compact-sm" variant="subtle" onClick={back}>← {words.back}</Button>
      <StateOf query={query} what={words.title} height={600}>{(idea) => <Known idea={idea} back={back} />}</StateOf>
    </section>
  );
}

function Known({ idea, back }: { idea: Idea; back: () => void }): ReactNode {
  const [overrides, setOverrides] = useState<Overrides>({});
  const [dragged, setDragged] = useState<Overrides>({});
  const may = useMay();
  const { data: account } = useQuery(read.account);
  const ahead = useAhead(idea.symbol);
  const editable = waits(idea) && may.trade;
  const live = waits(idea) || idea.status === "approved";
  const wanted = { ...overrides, ...dragged };
  const [asked] = useDebouncedValue(JSON.stringify(wanted), 120);
  const preview = useQuery({
    queryKey: ["idea-preview", idea.id, asked],
    queryFn: () => take(api.POST("/api/trade-ideas/{idea_id}/preview", { params: { path: { idea_id: idea.id } }, body: JSON.parse(asked) as Overrides })),
    enabled: live && may.trade,
    refetchInterval: 2000,
    placeholderData: keepPreviousData,
    retry: false,
  });
  const shown = live && preview.data && !preview.error ? preview.data : null;
  const errors: Record<string, string> = { ...(preview.error instanceof DeskError ? preview.error.fields : {}), ...shown?.fields };
  const set = (field: Field, value: number | null | undefined): void => {
    setOverrides((before) => (value === undefined ? Object.fromEntries(Object.entries(before).filter(([name]) => name !== field)) : { ...before, [field]: value }));
  };
  const at = (field: "entry" | "stop" | "target"): number | null => wanted[field] ?? shown?.[field] ?? idea[field];
  const fraction = digits(idea);
  return (
    <>
      <header className="ideas-head">
        <div>
          <h2><b>{idea.symbol}</b> <span className="dim">{idea.timeframe}</span> {sideOf(idea.side)} <span className="dim">{shown?.order_type ?? idea.order_type}</span> <span className="ideas-status" data-status={idea.status}>{words.status[idea.status] ?? idea.status}</span></h2>
          <div className="dim">
            {idea.strategy_id ? <Link to={`/strategies/${idea.strategy_id}`}>{idea.strategy_id}</Link> : words.noStrategy}
            {idea.decision_id && <> · <Link to={`/decisions/${idea.decision_id}`}>{words.decision}</Link></>}
            {idea.position && <> · <Link to="/positions" search={(idea.result ? { tab: "deals", position: idea.position.id } : { ticket: idea.position.ticket })}>{words.position} {idea.position.ticket}</Link></>}
            {!idea.position && idea.order && <> · <Link to="/positions" search={{ tab: "orders", ticket: idea.order.ticket }}>{words.order} {idea.order.ticket}</Link></>}
            {" · "}{words.made} <RelativeTime past at={idea.created_at} />
            {waits(idea) && <> · <span className="warn">{words.expires} <RelativeTime at={idea.expires_at} /></span></>}
          </div>
        </div>
        {idea.result && (
          <Row gap={14} className="ideas-result">
            <span className="dim">{words.result}</span><Money value={idea.result.net} currency={account?.currency} /><b className="num">{inR(idea.result.r)}</b>
            <span>{idea.result.exit_reason.replaceAll("_", " ")} <span className="num dim">{price(idea.result.exit_price, fraction)}</span></span>
          </Row>
        )}
        <Acts idea={idea} overrides={overrides} preview={shown} currency={account?.currency ?? ""} may={may.trade} onDone={back} clear={() => setOverrides({})} />
      </header>
      <div className="ideas-body">
        <div className="ideas-main">
          <div className="card">
            <LevelChart
              symbol={idea.symbol} timeframe={idea.timeframe ?? "H1"} digits={fraction} levels={{ entry: at("entry"), stop: at("stop"), target: at("target") }}
              editable={editable ? ["entry", "stop", "target"] : []} until={idea.result?.closed_at} marks={marksOf(idea, { entry: idea.side, exit: words.col.exit })}
              spans={ahead.spans}
              onDrag={(name, value) => setDragged({ [name]: value })}
              onDrop={(name, value) => {
                setDragged({});
                set(name, value);
              }}
            />
          </div>
          <Levels idea={idea} wanted={wanted} set={set} errors={errors} shown={shown} editable={editable} failed={preview.error} account={account} />
          <div className="card"><h2>{words.news}</h2><Around idea={idea} ahead={ahead} /></div>
          <div className="card"><h2>{words.history}</h2><History idea={idea} /></div>
        </div>
        <div className="ideas-side">
          <div className="card"><h2 title={words.scoreTip}>{words.score}</h2><Score confidence={idea.confidence_parts ?? null} reasons={idea.reasons} notes={idea.notes} remark={idea.remark} /></div>
          <div className="card"><Gate idea={idea} preview={shown} live={live} /></div>
        </div>
      </div>
    </>
  );
}
