import { Alert, Button, Checkbox, Group as Row, Modal, NumberInput, Stack, Text, Textarea } from "@mantine/core";
import { notifications } from "@mantine/notifications";
import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { useState, type ReactNode } from "react";
import { NOUNS, worthAt, type Known, type Position } from "./model";
import { Distance, digitsFor, sideOf } from "./Tables";
import { LevelChart } from "@/components/LevelChart";
import { Money, Price, RelativeTime } from "@/components/Numbers";
import { StateOf } from "@/components/StateOf";
import { api, take } from "@/lib/api";
import { inR, lots, money, price, typed } from "@/lib/format";
import { useWrite } from "@/lib/mutation";
import * as read from "@/lib/queries";
import { common, positions as words } from "@/lib/strings";

type Level = "stop" | "target";

/** One open position: its levels on the chart, moving them, closing it in whole or in part, its deals. */
export function OnePosition({ one, idea, may }: { one: Position; idea: Known | undefined; may: boolean }): ReactNode {
  const { data: account } = useQuery(read.account);
  const [wanted, setWanted] = useState<Partial<Record<Level, number | null>>>({});
  const [errors, setErrors] = useState<Record<string, string>>({});
  const [closing, setClosing] = useState(false);
  const digits = digitsFor(idea, one.price_open, one.price_current, one.stop, one.target);
  const at = (name: Level): number | null => (wanted[name] === undefined ? one[name] : wanted[name]);
  const changed = (["stop", "target"] as const).filter((name) => at(name) !== one[name]);
  const set = (name: Level, value: number | null): void => {
    setErrors({});
    setWanted((before) => ({ ...before, [name]: value }));
  };
  const move = useWrite(
    () => take(api.PATCH("/api/positions/{ticket}", { params: { path: { ticket: one.ticket } }, body: { ...Object.fromEntries(changed.map((name) => [name, at(name)])), reason: "" } })),
    { nouns: NOUNS, onFields: setErrors, done: ({ message }) => {
      setWanted({});
      notifications.show({ title: words.moved, message });
    } },
  );
  const currency = account?.currency ?? "";
  const field = (name: Level): ReactNode => (
    <NumberInput size="xs" label={words[name]} value={at(name) ?? ""} decimalScale={digits} fixedDecimalScale step={10 ** (1 - digits)} min={0} allowNegative={false} error={errors[name]} disabled={!may}
      onChange={(value) => {
        const next = typed(value) ?? (name === "target" && value === "" ? null : undefined);
        if (next !== undefined && next !== at(name)) set(name, next);
      }} />
  );
  return (
    <Stack gap="sm">
      <Row justify="space-between">
        <span><b>{one.symbol}</b> {sideOf(one.side)} <span className="num">{lots(one.volume)}</span> {!one.ours && <span className="warn">{words.foreign}</span>}</span>
        <b style={{ fontSize: 18 }}><Money value={one.profit} currency={currency} /></b>
      </Row>
      <div className="dim">
        <span className="num">{price(one.price_open, digits)}</span> → <Price value={one.price_current} digits={digits} /> · <span title={words.rTip}>{inR(one.moved_r)}</span> · {words.col.opened} <RelativeTime past at={one.opened_at} />
        {idea && <> · <Link to={`/ideas/${idea.id}`}>{words.idea}</Link></>}
      </div>
      <Distance one={one} />
      <LevelChart symbol={one.symbol} timeframe="M15" digits={digits} height={260} levels={{ entry: one.price_open, stop: at("stop"), target: at("target") }}
        editable={may ? ["stop", "target"] : []}
        onDrop={(name, value) => {
          if (name !== "entry") set(name, value);
        }} />
      <div className="positions-fields">{field("stop")}{field("target")}</div>
      <div className="positions-fields dim" title={words.byMove}>
        <span>{words.atStop} <Money value={worthAt(one, at("stop"))} currency={currency} /></span>
        <span>{words.atTarget} <Money value={worthAt(one, at("target"))} currency={currency} /></span>
      </div>
      <div className="dim">{words.noTarget}</div>
      {may ? (
        <Row justify="space-between">
          <Button size="compact-md" variant="light" disabled={changed.length === 0} loading={move.isPending} onClick={() => move.mutate(undefined)}>{words.change}</Button>
          <Button size="compact-md" color="red.8" autoContrast={false} onClick={() => setClosing(true)}>{words.close}…</Button>
        </Row>
      ) : <div className="dim">{words.mayNot}</div>}
      <Deals one={one} digits={digits} />
      <Modal opened={closing} onClose={() => setClosing(false)} title={words.closeTitle(`${one.symbol} ${one.side}`)}>
        {closing && <Close one={one} currency={currency} shut={() => setClosing(false)} />}
      </Modal>
    </Stack>
  );
}

function Close({ one, currency, shut }: { one: Position; currency: string; shut: () => void }): ReactNode {
  const [chosen, choose] = useState<number | null>(null); // none: the whole, however much that is by now
  const volume = chosen ?? one.volume;
  const [all, setAll] = useState(false);
  const [reason, setReason] = useState("");
  const [errors, setErrors] = useState<Record<string, string>>({});
  const part = volume < one.volume;
  const close = useWrite(
    () => take(api.POST("/api/positions/{ticket}/close", { params: { path: { ticket: one.ticket } }, body: { ...(volume === one.volume ? {} : { volume }), all, reason } })),
    { nouns: NOUNS, onFields: setErrors, done: ({ message }) => {
      notifications.show({ title: words.closed, message });
      shut();
    } },
  );
  return (
    <Stack component="form" gap="sm" onSubmit={(event) => {
      event.preventDefault();
      close.mutate(undefined);
    }}>
      <Text fw={600}>{words.closeSay(lots(volume), money(one.profit, currency))}</Text>
      <NumberInput label={words.closePart} value={volume} min={0} decimalScale={2} step={0.01} error={errors["volume"]} description={part ? undefined : words.closeAll} onChange={(value) => choose(typed(value) ?? 0)} />
      <Row gap={6}>{[0.25, 0.5, 0.75, 1].map((share) => <Button key={share} size="compact-xs" variant="default" onClick={() => choose(Math.round(one.volume * share * 100) / 100)}>{share * 100} %</Button>)}</Row>
      {!one.ours && <Checkbox label={words.closeForeign} checked={all} onChange={(event) => setAll(event.currentTarget.checked)} />}
      <Textarea label={words.reason} value={reason} maxLength={500} autosize minRows={1} onChange={(event) => setReason(event.currentTarget.value)} />
      {Object.entries(errors).filter(([name]) => name !== "volume").map(([name, why]) => <Alert key={name} color="red" role="alert">{why}</Alert>)}
      <Row justify="flex-end">
        <Button variant="default" onClick={shut}>{common.cancel}</Button>
        <Button type="submit" color="red.8" autoContrast={false} loading={close.isPending} disabled={volume <= 0 || (!one.ours && !all)}>{words.closeDo(lots(volume))}</Button>
      </Row>
    </Stack>
  );
}

function Deals({ one, digits }: { one: Position; digits: number }): ReactNode {
  const query = useQuery({ queryKey: ["deals", "of", one.identifier], queryFn: () => take(api.GET("/api/deals", { params: { query: { position: one.identifier } } })) });
  return (
    <section className="card">
      <h2>{words.deals}</h2>
      <StateOf query={query} what={words.tabs.deals} isEmpty={({ items }) => items.length === 0} empty={words.noDealsYet}>
        {({ items }) => items.map((deal) => (
          <div key={deal.ticket} className="row"><span className="what">{deal.entry} {sideOf(deal.type)} <span className="num">{lots(deal.volume)} @ {price(deal.price, digits)}</span></span><Money value={deal.net} /><RelativeTime past at={deal.time} /></div>
        ))}
      </StateOf>
    </section>
  );
}
