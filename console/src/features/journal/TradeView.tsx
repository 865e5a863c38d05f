import { Button, Group, Stack, TagsInput, Textarea } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { useState, type ReactNode } from "react";
import { TradeChart } from "./TradeChart";
import { type Trade } from "./trades";
import { Moment, Money } from "@/components/Numbers";
import { StateOf } from "@/components/StateOf";
import { api, take } from "@/lib/api";
import { digitsOf, inR, money, price } from "@/lib/format";
import { useMay } from "@/lib/may";
import { useWrite } from "@/lib/mutation";
import * as read from "@/lib/queries";
import { common, journal as words } from "@/lib/strings";

/** One closed trade: price around it, what it cost and brought, what was said of it. */
export function TradeView({ trade }: { trade: Trade }): ReactNode {
  const { data: account } = useQuery(read.account);
  const currency = account?.currency ?? "";
  const digits = (value: number): number => Math.min(8, Math.max(digitsOf(trade.entry_price ?? value), 2));
  const at = (value: number | null): string => (value === null ? common.unknown : price(value, digits(value)));
  const paid = (value: number | null): ReactNode => <span className="num">{money(value === null ? null : -value, currency)}</span>;
  const facts: [string, ReactNode][] = [
    [words.facts.entry, <>{at(trade.entry_price)} · <Moment at={trade.entry_time} /></>],
    [words.facts.exit, <>{at(trade.exit_price)} · <Moment at={trade.exit_time} /></>],
    [words.facts.stop, at(trade.initial_stop)],
    [words.facts.target, at(trade.initial_target)],
    [words.facts.net, <b key="net"><Money value={trade.net} currency={currency} /></b>],
    [words.facts.result, <span key="r" title={words.rTip}>{inR(trade.r)}</span>],
    [words.facts.gross, <Money key="gross" value={trade.gross} currency={currency} />],
    [words.facts.commission, paid(trade.commission)],
    [words.facts.swap, <Money key="swap" value={trade.swap} currency={currency} />],
    [words.facts.spread, paid(trade.spread_cost)],
    [words.facts.slippage, paid(trade.slippage_cost)],
    [words.facts.gap, paid(trade.gap_cost)],
    [words.facts.mae, <Money key="mae" value={trade.mae} currency={currency} />],
    [words.facts.mfe, <Money key="mfe" value={trade.mfe} currency={currency} />],
    [words.facts.signal, <Moment key="signal" at={trade.signal_time} />],
    [words.facts.idea, <Link key="idea" to={`/ideas/${encodeURIComponent(trade.id)}`}>{trade.id}</Link>],
  ];
  return (
    <Stack gap={14}>
      <TradeChart trade={trade} digits={digits(trade.exit_price ?? 0)} />
      <dl style={{ display: "grid", gridTemplateColumns: "repeat(auto-fill, minmax(220px, 1fr))", columnGap: 20, margin: 0 }}>
        {facts.map(([name, value]) => (
          <div key={name} style={{ display: "flex", justifyContent: "space-between", gap: 8, padding: "3px 0", borderTop: "1px solid var(--desk-line)" }}>
            <dt className="dim">{name}</dt><dd className="num" style={{ margin: 0 }}>{value}</dd>
          </div>
        ))}
      </dl>
      <Notes trade={trade} />
    </Stack>
  );
}

function Notes({ trade }: { trade: Trade }): ReactNode {
  const { trade: may } = useMay();
  const [said, setSaid] = useState({ tags: trade.tags, note: trade.note });
  const [wrong, setWrong] = useState<Record<string, string>>({});
  const history = useQuery({ queryKey: ["trades", "notes", trade.id], queryFn: () => take(api.GET("/api/trades/{trade_id}/notes", { params: { path: { trade_id: trade.id } } })) });
  const save = useWrite(() => take(api.PUT("/api/trades/{trade_id}/notes", { params: { path: { trade_id: trade.id } }, body: said })), {
    nouns: ["trades"],
    done: () => setWrong({}),
    onFields: setWrong,
  });
  const changed = said.note !== trade.note || said.tags.join("\n") !== trade.tags.join("\n");
  return (
    <Stack gap={8} component="form" onSubmit={(event) => {
      event.preventDefault();
      save.mutate(undefined);
    }}>
      <TagsInput size="xs" label={words.notes.tags} description={may ? words.notes.tagsHint : undefined} readOnly={!may} value={said.tags} error={wrong["tags"]}
        onChange={(tags) => setSaid({ ...said, tags })} />
      <Textarea size="xs" label={words.notes.note} autosize minRows={3} maxRows={10} readOnly={!may} value={said.note} error={wrong["note"]}
        onChange={(event) => setSaid({ ...said, note: event.currentTarget.value })} />
      {may && (
        <Group gap={8}>
          <Button size="xs" type="submit" disabled={!changed} loading={save.isPending}>{words.notes.save}</Button>
          {save.isSuccess && !changed && <span className="dim" role="status">{words.notes.saved}</span>}
        </Group>
      )}
      <StateOf query={history} what={words.notes.history} height={40} isEmpty={({ items }) => items.length === 0} empty={words.notes.nobody}>
        {({ items }) => (
          <section>
            <h2 className="dim" style={{ fontSize: 12, margin: "4px 0" }}>{words.notes.history}</h2>
            {items.map((one) => (
              <div key={one.at} className="row">
                <span className="what">{one.tags.length > 0 && <b>{one.tags.join(", ")} </b>}<span style={{ whiteSpace: "pre-wrap" }}>{one.note}</span></span>
                <span className="dim">{one.by}</span><Moment at={one.at} />
              </div>
            ))}
          </section>
        )}
      </StateOf>
    </Stack>
  );
}
