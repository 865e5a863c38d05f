import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { useMemo, type ReactNode } from "react";
import type { Known, Order, Position } from "./model";
import { DataTable, type Column } from "@/components/DataTable";
import { Money, Price, RelativeTime } from "@/components/Numbers";
import { between, digitsOf, inR, lots, money, price } from "@/lib/format";
import * as read from "@/lib/queries";
import { common, positions as words } from "@/lib/strings";

const { col } = words;
export const sideOf = (side: string): ReactNode => <span className={side.startsWith("buy") ? "up" : "down"}>{side.startsWith("buy") ? "▲" : "▼"} {side.replaceAll("_", " ")}</span>;
/** Digits of a row's prices: its idea's, else the most that any of them shows. */
export const digitsFor = (idea: Known | undefined, ...prices: (number | null)[]): number =>
  idea ? digitsOf(idea.tick_size) : Math.max(...prices.map((one) => (one === null ? 0 : digitsOf(one))));

const digitsOfPosition = (one: Position, idea: Known | undefined): number => digitsFor(idea, one.price_open, one.price_current, one.stop, one.target);
const ideaLink = (idea: Known | undefined, ours: boolean): ReactNode =>
  idea ? <Link to={`/ideas/${idea.id}`} onClick={(event) => event.stopPropagation()}>{words.idea}</Link> : <span className="dim">{ours ? common.unknown : words.foreign}</span>;

/** Open positions with where each stands between stop and target. */
export function PositionTable({ rows, known, open }: { rows: readonly Position[]; known: ReadonlyMap<number, Known>; open: (ticket: number) => void }): ReactNode {
  const { data: account } = useQuery(read.account);
  const currency = account?.currency;
  const columns = useMemo((): Column<Position>[] => {
    const level = (key: "price_open" | "stop" | "target", title: string): Column<Position> => ({ key, title, value: (one) => one[key], cell: (one) => price(one[key], digitsOfPosition(one, known.get(one.ticket))), right: true, width: "84px" });
    return [
      { key: "symbol", title: col.symbol, value: ({ symbol }) => symbol, cell: ({ symbol }) => <b>{symbol}</b>, width: "92px" },
      { key: "side", title: col.side, value: ({ side }) => side, cell: ({ side }) => sideOf(side), width: "72px" },
      { key: "lots", title: col.lots, value: ({ volume }) => volume, cell: ({ volume }) => lots(volume), right: true, width: "84px" },
      level("price_open", col.open),
      { key: "now", title: col.now, value: (one) => one.price_current, cell: (one) => <Price value={one.price_current} digits={digitsOfPosition(one, known.get(one.ticket))} />, right: true, width: "92px" },
      level("stop", col.stop),
      { key: "between", title: col.between, value: (one) => between(one.price_current, one.stop, one.target), cell: (one) => <Distance one={one} />, width: "minmax(100px, 1fr)" },
      level("target", col.target),
      { key: "r", title: col.r, value: ({ moved_r }) => moved_r, cell: ({ moved_r }) => <span title={words.rTip}>{inR(moved_r)}</span>, right: true, width: "76px" },
      { key: "risk", title: col.risk, value: ({ at_risk }) => at_risk, cell: (one) => <AtRisk one={one} currency={currency} />, right: true, width: "106px" },
      { key: "swap", title: col.swap, value: ({ swap }) => swap, cell: ({ swap }) => <Money value={swap} />, right: true, width: "72px" },
      { key: "profit", title: col.profit, value: ({ profit }) => profit, cell: ({ profit }) => <b><Money value={profit} currency={currency} /></b>, right: true, width: "108px" },
      { key: "opened", title: col.opened, value: ({ opened_at }) => opened_at, cell: ({ opened_at }) => <RelativeTime past at={opened_at} />, right: true, width: "116px" },
      { key: "idea", title: col.idea, value: ({ ticket }) => known.get(ticket)?.id ?? null, cell: ({ ticket, ours }) => ideaLink(known.get(ticket), ours), width: "88px" },
      { key: "ticket", title: col.ticket, value: ({ ticket }) => ticket, right: true, width: "84px" },
    ];
  }, [known, currency]);
  const total = rows.reduce((sum, { profit, swap }) => sum + profit + swap, 0);
  return <DataTable label={words.tabs.positions} rows={rows} columns={columns} id={({ ticket }) => ticket} onOpen={({ ticket }) => open(ticket)} height="calc(100dvh - 250px)" actions={<span className="dim">{words.total} <Money value={total} currency={currency} /></span>} />;
}

/** What a position may still lose down to its stop: money, and R on hover. */
function AtRisk({ one: { at_risk, at_risk_r, stop }, currency }: { one: Position; currency: string | undefined }): ReactNode {
  if (stop === null) return <span className="danger" title={words.noStopTip}>{words.noStop}</span>;
  return <span title={at_risk_r === null ? words.riskTip : `${inR(-at_risk_r)}; ${words.riskTip}`}>{money(at_risk === null ? null : -at_risk, currency)}</span>;
}

/** Where the price stands between stop and target. */
export function Distance({ one }: { one: Position }): ReactNode {
  const share = between(one.price_current, one.stop, one.target);
  if (share === null) return <span className="dim">{common.unknown}</span>;
  return <div className="distance" role="img" aria-label={`${Math.round(share * 100)} %`}><i style={{ left: `calc(${share * 100}% - 1px)` }} /></div>;
}

/** Orders that wait at the broker. */
export function OrderTable({ rows, known, open }: { rows: readonly Order[]; known: ReadonlyMap<number, Known>; open: (ticket: number) => void }): ReactNode {
  const columns = useMemo((): Column<Order>[] => {
    const digits = (one: Order): number => digitsFor(known.get(one.ticket), one.price, one.stop, one.target, one.price_current);
    const level = (key: "price" | "stop" | "target", title: string): Column<Order> => ({ key, title, value: (one) => one[key], cell: (one) => price(one[key], digits(one)), right: true, width: "96px" });
    const away = (one: Order): number | null => (one.price === null || one.price_current === null ? null : one.price_current - one.price);
    return [
      { key: "symbol", title: col.symbol, value: ({ symbol }) => symbol, cell: ({ symbol }) => <b>{symbol}</b>, width: "92px" },
      { key: "type", title: col.type, value: ({ type }) => type, cell: ({ type }) => sideOf(type), width: "112px" },
      { key: "lots", title: col.lots, value: ({ volume_left }) => volume_left, cell: ({ volume_left }) => lots(volume_left), right: true, width: "88px" },
      level("price", col.price),
      { key: "now", title: col.now, value: (one) => one.price_current, cell: (one) => <Price value={one.price_current} digits={digits(one)} />, right: true, width: "100px" },
      { key: "away", title: col.away, value: away, cell: (one) => <span title={words.awayTip}>{money(away(one), "", { digits: digits(one) })}</span>, right: true, width: "96px" },
      level("stop", col.stop), level("target", col.target),
      { key: "expires", title: col.expires, value: ({ expires_at }) => expires_at, cell: ({ expires_at }) => (expires_at ? <RelativeTime at={expires_at} /> : <span className="dim">{words.gtc}</span>), width: "minmax(110px, 1fr)" },
      { key: "placed", title: col.placed, value: ({ placed_at }) => placed_at, cell: ({ placed_at }) => <RelativeTime past at={placed_at} />, right: true, width: "112px" },
      { key: "idea", title: col.idea, value: ({ ticket }) => known.get(ticket)?.id ?? null, cell: ({ ticket, ours }) => ideaLink(known.get(ticket), ours), width: "104px" },
      { key: "ticket", title: col.ticket, value: ({ ticket }) => ticket, right: true, width: "88px" },
    ];
  }, [known]);
  return <DataTable label={words.tabs.orders} rows={rows} columns={columns} id={({ ticket }) => ticket} onOpen={({ ticket }) => open(ticket)} height="calc(100dvh - 250px)" />;
}
