import { Badge, Button, Drawer, Group } from "@mantine/core";
import { useMemo, type ReactNode } from "react";
import { TradeView } from "./TradeView";
import { heldFor, sideOf, useJournal, useTrades, type Trade } from "./trades";
import { DataTable, type Column } from "@/components/DataTable";
import { Moment, Money } from "@/components/Numbers";
import { StateOf } from "@/components/StateOf";
import { digitsOf, duration, inR, price } from "@/lib/format";
import { useMoment } from "@/lib/moment";
import { common, journal as words, shell } from "@/lib/strings";

/** Closed trades as a table; one of them opens beside it. */
export function Trades(): ReactNode {
  const [filters, change] = useJournal();
  const { query, rows, problems, more } = useTrades(filters);
  const { name } = useMoment();
  const columns = useMemo((): Column<Trade>[] => [
    { key: "closed", title: `${words.columns.closed} (${shell.clocks[name]})`, width: "138px", value: ({ exit_time }) => exit_time, cell: ({ exit_time }) => <Moment at={exit_time} /> },
    { key: "symbol", title: words.columns.symbol, width: "84px", value: ({ symbol }) => symbol, cell: ({ symbol }) => <b>{symbol}</b> },
    { key: "side", title: words.columns.side, width: "72px", value: ({ side }) => side, cell: ({ side }) => <span className={side === "long" ? "up" : "down"}>{sideOf(side)}</span> },
    { key: "volume", title: words.columns.volume, width: "58px", right: true, value: ({ volume }) => volume, cell: ({ volume }) => volume.toFixed(2) },
    { key: "entry", title: words.columns.entry, width: "90px", right: true, value: ({ entry_price }) => entry_price, cell: (row) => price(row.entry_price, digits(row)) },
    { key: "exit", title: words.columns.exit, width: "90px", right: true, value: ({ exit_price }) => exit_price, cell: (row) => price(row.exit_price, digits(row)) },
    { key: "reason", title: words.columns.reason, width: "78px", value: ({ exit_reason }) => exit_reason },
    { key: "net", title: words.columns.net, width: "96px", right: true, value: ({ net }) => net, cell: ({ net }) => <Money value={net} {...(net === null ? { why: words.unknownNet } : {})} /> },
    { key: "r", title: words.columns.r, width: "76px", right: true, value: ({ r }) => r, cell: ({ r }) => <span title={words.rTip}>{inR(r)}</span> },
    { key: "held", title: words.columns.held, width: "90px", right: true, value: heldFor, cell: (row) => duration(heldFor(row)) },
    { key: "strategy", title: words.columns.strategy, width: "minmax(110px, 1fr)", value: ({ strategy }) => strategy, cell: ({ strategy }) => strategy ?? <span className="dim">{words.person}</span> },
    { key: "tags", title: words.columns.tags, width: "minmax(90px, 1fr)", value: ({ tags }) => tags.join(" "), cell: ({ tags }) => tags.map((tag) => <Badge key={tag} size="sm" variant="default" tt="none" mr={4}>{tag}</Badge>), wide: true },
    { key: "note", title: words.columns.note, width: "minmax(90px, 2fr)", value: ({ note }) => note, cell: ({ note }) => <span title={note}>{note}</span>, wide: true },
  ], [name]);
  const open = rows.find(({ id }) => id === filters.trade);
  return (
    <StateOf query={query} what={words.views.trades} height={360} isEmpty={() => rows.length === 0} empty={words.none}>
      {() => (
        <>
          {problems > 0 && <p className="warn" role="status">{words.unreadable(problems)}</p>}
          <DataTable label={words.views.trades} rows={rows} columns={columns} id={({ id }) => id} height="calc(100dvh - 240px)"
            onOpen={({ id }) => change({ trade: id })} />
          {more && rows.length > 0 && !query.isFetching && (
            <Group mt={8} className="dim">{words.partly(rows.length)}<Button size="compact-xs" variant="default" onClick={() => void query.fetchNextPage()}>{words.more}</Button></Group>
          )}
          <Drawer opened={filters.trade !== ""} onClose={() => change({ trade: null })} position="right" size={560}
            title={open ? `${open.symbol} ${sideOf(open.side)} · ${open.id}` : words.trade} closeButtonProps={{ "aria-label": common.close }}>
            {open ? <TradeView key={open.id} trade={open} /> : query.isFetching ? common.loading : words.noTrade}
          </Drawer>
        </>
      )}
    </StateOf>
  );
}

/** Digits as the trade's own prices show them: the symbol's may have changed since. */
export const digits = (trade: Trade): number => Math.max(...[trade.entry_price, trade.exit_price].map((one) => (one === null ? 0 : Math.min(8, digitsOf(one)))));
