import { Button } from "@mantine/core";
import { useVirtualizer } from "@tanstack/react-virtual";
import { Link } from "@tanstack/react-router";
import { useMemo, useRef, type ReactNode } from "react";
import { digits, waits, type Group, type Idea } from "./model";
import { DataTable, type Column } from "@/components/DataTable";
import { Money, RelativeTime } from "@/components/Numbers";
import { inR, lots, money, price } from "@/lib/format";
import { common, ideas as words } from "@/lib/strings";

export const sideOf = (side: string): ReactNode => <span className={side === "buy" ? "up" : "down"}>{side === "buy" ? "▲ buy" : "▼ sell"}</span>;
export const ratio = (value: number | null): string => (value === null ? common.unknown : `${value.toFixed(2)} : 1`);

/** All ideas of a group, as wide as the page. */
export function IdeaTable({ ideas, group, open, more }: { ideas: readonly Idea[]; group: Group; open: (id: string) => void; more: () => void }): ReactNode {
  const columns = useMemo((): Column<Idea>[] => {
    const { col } = words;
    const at = (key: "entry" | "stop" | "target", width = "88px"): Column<Idea> => ({ key, title: col[key], value: (idea) => idea[key], cell: (idea) => price(idea[key], digits(idea)), right: true, width });
    const made: Column<Idea>[] = [
      { key: "symbol", title: col.symbol, value: ({ symbol }) => symbol, cell: ({ symbol, timeframe, id }) => <Link to={`/ideas/${id}`} search={((before: object) => before)} className="plain"><b>{symbol}</b> <span className="dim">{timeframe}</span></Link>, width: "124px" },
      { key: "side", title: col.side, value: ({ side }) => side, cell: ({ side, order_type }) => <>{sideOf(side)} <span className="dim">{order_type}</span></>, width: "112px" },
      ...(group === "approved" || group === "rejected" ? [{ key: "status", title: col.status, value: ({ status }: Idea) => words.status[status] ?? status, width: "132px" }] : []),
      { key: "strategy", title: col.strategy, value: ({ strategy_id }) => strategy_id, cell: ({ strategy_id }) => strategy_id ? <Link to={`/strategies/${strategy_id}`} className="plain" onClick={(event) => event.stopPropagation()}>{strategy_id}</Link> : <span className="dim">{words.noStrategy}</span>, width: "minmax(120px, 1fr)" },
      { key: "score", title: col.score, value: ({ confidence }) => confidence, cell: ({ confidence }) => confidence?.toFixed(1) ?? common.unknown, right: true, width: "64px" },
      at("entry"), at("stop"), at("target"),
      { key: "lots", title: col.lots, value: ({ volume }) => volume, cell: ({ volume }) => lots(volume), right: true, width: "84px" },
      { key: "risk", title: col.risk, value: ({ risk_money }) => risk_money, cell: ({ risk_money }) => money(risk_money === null ? null : -risk_money), right: true, width: "84px" },
      { key: "rr", title: col.rr, value: ({ reward_to_risk }) => reward_to_risk, cell: ({ reward_to_risk }) => ratio(reward_to_risk), right: true, width: "76px" },
    ];
    if (group === "closed")
      made.push(
        { key: "net", title: col.net, value: ({ result }) => result?.net ?? null, cell: ({ result }) => <Money value={result?.net} />, right: true, width: "92px" },
        { key: "r", title: col.r, value: ({ result }) => result?.r ?? null, cell: ({ result }) => inR(result?.r), right: true, width: "76px" },
        { key: "exit", title: col.exit, value: ({ result }) => result?.exit_reason.replaceAll("_", " ") ?? null, width: "104px" },
      );
    if (group === "rejected") made.push({ key: "why", title: col.why, value: ({ history }) => history.at(-1)?.why ?? null, cell: ({ history }) => <span className="dim" title={history.at(-1)?.why}>{history.at(-1)?.why}</span>, width: "minmax(120px, 1.4fr)" });
    made.push({ key: "made", title: col.made, value: ({ created_at }) => created_at, cell: ({ created_at }) => <RelativeTime past at={created_at} />, right: true, width: "104px" });
    if (group === "waiting") made.push({ key: "ends", title: col.ends, value: ({ expires_at }) => expires_at, cell: ({ expires_at }) => <RelativeTime at={expires_at} />, right: true, width: "96px" });
    return made;
  }, [group]);
  return <DataTable label={words.list} rows={ideas} columns={columns} id={({ id }) => id} onOpen={({ id }) => open(id)} height="calc(100dvh - 220px)" onEnd={more} />;
}

/** The same, narrow, beside the one that is open. */
export function IdeaList({ ideas, at, more }: { ideas: readonly Idea[]; at: string; more: (() => void) | undefined }): ReactNode {
  const place = useRef<HTMLDivElement>(null);
  const virtual = useVirtualizer({ count: ideas.length, getScrollElement: () => place.current, estimateSize: () => 47, overscan: 8 });
  return (
    <div className="ideas-narrow" ref={place}>
      <ul aria-label={words.list} style={{ height: virtual.getTotalSize() }}>
        {virtual.getVirtualItems().map(({ index, start }) => {
          const idea = ideas[index];
          if (!idea) return null;
          return (
            <li key={idea.id} style={{ transform: `translateY(${start}px)` }} ref={virtual.measureElement} data-index={index}>
              <Link to={`/ideas/${idea.id}`} search={((before: object) => before)} aria-current={idea.id === at}>
                <span><b>{idea.symbol}</b> <span className="dim">{idea.timeframe}</span> {sideOf(idea.side)}</span>
                <span className="num right">{idea.result ? <Money value={idea.result.net} /> : <>{idea.confidence?.toFixed(1) ?? ""} <span className="dim">{ratio(idea.reward_to_risk)}</span></>}</span>
                <span className="dim">{idea.strategy_id ?? words.noStrategy}</span>
                <span className="right">{waits(idea) ? <span className="warn">{words.expires} <RelativeTime at={idea.expires_at} /></span> : <RelativeTime past at={idea.created_at} />}</span>
              </Link>
            </li>
          );
        })}
      </ul>
      {more && <Button size="compact-xs" variant="subtle" fullWidth onClick={more}>{words.older}</Button>}
    </div>
  );
}
