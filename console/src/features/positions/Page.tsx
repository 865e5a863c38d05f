import "./positions.css";
import { Button, Drawer, Group as Row, Modal, Select, Tabs } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { useMemo, type ReactNode } from "react";
import { Deals } from "./Deals";
import type { Known } from "./model";
import { OneOrder } from "./OneOrder";
import { OnePosition } from "./OnePosition";
import { OrderTable, PositionTable } from "./Tables";
import { Ticket } from "./Ticket";
import { StateOf } from "@/components/StateOf";
import { useFilters } from "@/lib/address";
import { api, take } from "@/lib/api";
import { useMay } from "@/lib/may";
import * as read from "@/lib/queries";
import { positions as words } from "@/lib/strings";

const TABS = ["positions", "orders", "deals"] as const;

/** What stands at the broker, and what a person does with it. */
export function Page(): ReactNode {
  const [filters, change] = useFilters(["tab", "symbol", "whose", "ticket", "order", "position", "days"]);
  const tab = TABS.find((one) => one === filters.tab) ?? "positions";
  const positions = useQuery(read.positions);
  const orders = useQuery({ queryKey: ["orders"], queryFn: () => take(api.GET("/api/orders")), refetchInterval: 2000 });
  const ideas = useQuery({
    queryKey: ["trade-ideas", "at the broker"],
    queryFn: () => take(api.GET("/api/trade-ideas", { params: { query: { status: ["open", "placed"], limit: 200 } } })),
    refetchInterval: 15_000,
  });
  const { data: status } = useQuery(read.status);
  const may = useMay();
  const known = useMemo(() => {
    const made = new Map<number, Known>();
    for (const idea of (ideas.data?.items ?? []) as unknown as Known[]) {
      if (idea.position) made.set(idea.position.ticket, idea);
      if (idea.order) made.set(idea.order.ticket, idea);
    }
    return made;
  }, [ideas.data]);
  const wanted = <T extends { symbol: string; ours: boolean }>(rows: readonly T[]): T[] =>
    rows.filter(({ symbol, ours }) => (!filters.symbol || symbol === filters.symbol) && (filters.whose !== "mine" || ours));
  const filtered = filters.symbol !== "" || filters.whose !== "";
  const symbols = [...new Set([...(status?.symbols ?? []), ...(positions.data?.items ?? []).map(({ symbol }) => symbol), ...(filters.symbol ? [filters.symbol] : [])])].sort();
  const counts = { positions: positions.data?.items.length, orders: orders.data?.items.length, deals: undefined };
  const open = Number(filters.ticket) || null;
  const shut = (): void => change({ ticket: null });
  const offline = (tab === "orders" ? orders : positions).data?.connected === false;
  return (
    <>
      <Row justify="space-between" mb={4}>
        <h1 className="pagetitle">{words.heading}</h1>
        {may.trade && <Button size="compact-md" onClick={() => change({ order: "new" })}>{words.newOrder}</Button>}
      </Row>
      <Tabs value={tab} onChange={(value) => change({ tab: value === "positions" ? null : value, ticket: null })}>
        <Tabs.List>
          {TABS.map((one) => <Tabs.Tab key={one} value={one} px={10} py={7}>{words.tabs[one]} {one !== "deals" && <span className="num dim">{counts[one] ?? "…"}</span>}</Tabs.Tab>)}
        </Tabs.List>
        <Tabs.Panel value={tab} pt={8}>
          <Row gap={6} mb={8}>
            <Select size="xs" w={130} aria-label={words.symbol} placeholder={words.allSymbols} clearable searchable data={symbols} value={filters.symbol || null} onChange={(value) => change({ symbol: value })} />
            <Select size="xs" w={130} aria-label={words.whose} placeholder={words.everybody} clearable data={[{ value: "mine", label: words.mine }]} value={filters.whose || null} onChange={(value) => change({ whose: value })} />
          </Row>
          {offline && <div className="warn" role="status">{words.offline}</div>}
          {tab === "positions" && (
            <StateOf query={positions} what={words.tabs.positions} height={240} isEmpty={({ items }) => wanted(items).length === 0} empty={filtered ? words.filtered : words.noPositions}>
              {({ items }) => <PositionTable rows={wanted(items)} known={known} open={(ticket) => change({ ticket: String(ticket) })} />}
            </StateOf>
          )}
          {tab === "orders" && (
            <StateOf query={orders} what={words.tabs.orders} height={240} isEmpty={({ items }) => wanted(items).length === 0} empty={filtered ? words.filtered : words.noOrders}>
              {({ items }) => <OrderTable rows={wanted(items)} known={known} open={(ticket) => change({ ticket: String(ticket) })} />}
            </StateOf>
          )}
          {tab === "deals" && <Deals days={filters.days} position={Number(filters.position) || null} change={change} filter={wanted} />}
        </Tabs.Panel>
      </Tabs>
      <Drawer opened={open !== null && tab !== "deals"} onClose={shut} position="right" size={520} title={`${tab === "orders" ? words.order : words.position} ${open ?? ""}`}>
        {open !== null && tab === "positions" && (
          <StateOf query={positions} what={words.tabs.positions} isEmpty={({ items }) => !items.some(({ ticket }) => ticket === open)} empty={words.gone(open)}>
            {({ items }) => items.filter(({ ticket }) => ticket === open).map((one) => <OnePosition key={one.ticket} one={one} idea={known.get(one.ticket)} may={may.trade} />)}
          </StateOf>
        )}
        {open !== null && tab === "orders" && (
          <StateOf query={orders} what={words.tabs.orders} isEmpty={({ items }) => !items.some(({ ticket }) => ticket === open)} empty={words.gone(open)}>
            {({ items }) => items.filter(({ ticket }) => ticket === open).map((one) => <OneOrder key={one.ticket} one={one} idea={known.get(one.ticket)} may={may.trade} shut={shut} />)}
          </StateOf>
        )}
      </Drawer>
      <Modal opened={filters.order === "new"} onClose={() => change({ order: null })} title={words.ticketTitle} size={720}>
        {filters.order === "new" && <Ticket symbols={symbols} symbol={filters.symbol || symbols[0] || ""} done={() => change({ order: null })} />}
      </Modal>
    </>
  );
}
