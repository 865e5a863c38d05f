import { Alert, Button, Group as Row, NumberInput, SegmentedControl, Select, Stack, Text, TextInput } from "@mantine/core";
import { useDebouncedValue } from "@mantine/hooks";
import { notifications } from "@mantine/notifications";
import { keepPreviousData, useQuery } from "@tanstack/react-query";
import { useState, type ReactNode } from "react";
import { NOUNS } from "./model";
import { Price } from "@/components/Numbers";
import { api, DeskError, idempotencyKey, take, type Schemas } from "@/lib/api";
import { useClocks } from "@/lib/clock";
import { lots, money, percent, typed } from "@/lib/format";
import { useWrite } from "@/lib/mutation";
import * as read from "@/lib/queries";
import { common, positions as words } from "@/lib/strings";

type Unit = "price" | "points" | "atr" | "r" | "none";
type Level = { unit: Unit; value: number | "" };
type Side = "buy" | "sell";
type Kind = "market" | "limit" | "stop";
type Led = { entry: number; stop: number; target: number | null; volume: number | null; risk_money: number | null; margin: number | null; reward_to_risk: number | null; passed: boolean; refusals: { reason: string }[] };
const TIMEFRAMES = ["M5", "M15", "M30", "H1", "H4", "D1"] as const;
const number = (value: number | string): number | "" => typed(value) ?? "";
const distance = ({ unit, value }: Level): Schemas["Distance"] | null => (unit === "none" || value === "" ? null : { [unit]: value });

/** A person's order: what it would lead to is shown as it is filled in, and asked again before it is sent. */
export function Ticket({ symbols, symbol: first, done }: { symbols: readonly string[]; symbol: string; done: () => void }): ReactNode {
  const [key] = useState(idempotencyKey);
  const [chosen, setSymbol] = useState<string | null>(null);
  const symbol = chosen ?? first;
  const [side, setSide] = useState<Side>("buy");
  const [type, setType] = useState<Kind>("market");
  const [at, setAt] = useState<number | "">("");
  const [stop, setStop] = useState<Level>({ unit: "atr", value: 1.5 });
  const [target, setTarget] = useState<Level>({ unit: "r", value: 2 });
  const [timeframe, setTimeframe] = useState<(typeof TIMEFRAMES)[number]>("H1");
  const [sizeBy, setSizeBy] = useState<"risk" | "lots">("risk");
  const [risk, setRisk] = useState<number | "">(1);
  const [volume, setVolume] = useState<number | "">("");
  const [minutes, setMinutes] = useState<number | "">("");
  const [note, setNote] = useState("");
  const [sure, setSure] = useState(false);
  const [refused, setRefused] = useState<Record<string, string>>({});
  const { deskAhead } = useClocks();
  const { data: account } = useQuery(read.account);
  const quote = useQuery({ queryKey: ["market", symbol, "quote"], queryFn: () => take(api.GET("/api/market/{symbol}/quote", { params: { path: { symbol } } })), refetchInterval: 2000, enabled: symbol !== "", retry: false });
  const stated = distance(stop);
  const waits = type !== "market";
  const complete = symbol !== "" && stated !== null && (!waits || at !== "") && (sizeBy === "risk" || volume !== "");
  const body = {
    symbol, side, type, timeframe, stop: stated ?? {}, target: distance(target), note: "",
    ...(waits && at !== "" ? { price: at } : {}),
    ...(sizeBy === "lots" ? (volume === "" ? {} : { volume }) : risk === "" ? {} : { risk: risk / 100 }),
  };
  const [asked] = useDebouncedValue(JSON.stringify(body), 150);
  const preview = useQuery({
    queryKey: ["orders", "preview", asked],
    queryFn: async () => (await take(api.POST("/api/orders/preview", { body: JSON.parse(asked) as Schemas["NewOrder"] }))) as unknown as Led,
    enabled: complete, refetchInterval: 2000, placeholderData: keepPreviousData, retry: false,
  });
  const failed = preview.error instanceof DeskError ? preview.error : null;
  const errors: Record<string, string> = {};
  for (const [name, why] of Object.entries({ ...(complete ? failed?.fields : {}), ...refused })) errors[name.split(".")[0] ?? name] ??= why;
  const known = complete && preview.data && !failed ? preview.data : null;
  const currency = account?.currency ?? "";
  const risked = money(known?.risk_money, currency, { signed: false });
  const what = `${side} ${lots(known?.volume)} ${symbol}`;
  const send = useWrite(
    () => {
      const expires = waits && minutes !== "" ? { expires_at: new Date(Date.now() + deskAhead + minutes * 60_000).toISOString() } : {};
      return take(api.POST("/api/orders", { body: { ...body, ...expires, note, key } }));
    },
    { nouns: NOUNS, onFields: (fields) => {
      setRefused(fields);
      setSure(false);
    }, done: () => {
      notifications.show({ title: words.sent, message: what });
      done();
    } },
  );
  if (sure)
    return (
      <Stack gap="sm">
        <Text fw={600} data-figure="say">{words.sure(what, risked)}</Text>
        <Figures led={known} currency={currency} equity={account?.equity} failed={failed} />
        <Row justify="flex-end">
          <Button variant="default" onClick={() => setSure(false)}>{words.change2}</Button>
          <Button data-autofocus loading={send.isPending} disabled={!known} onClick={() => send.mutate(undefined)}>{words.send(what)}</Button>
        </Row>
      </Stack>
    );
  const level = (name: "stop" | "target", value: Level, set: (next: Level) => void, units: readonly Unit[]): ReactNode => (
    <div>
      <Row gap={4} wrap="nowrap" align="flex-end">
        <NumberInput size="xs" style={{ flex: 1 }} label={words[name]} value={value.value} min={0} decimalScale={6} disabled={value.unit === "none"} error={!!errors[name]} onChange={(next) => {
          setRefused({});
          set({ ...value, value: number(next) });
        }} />
        <Select size="xs" w={96} aria-label={words.unitOf(words[name])} allowDeselect={false} value={value.unit} data={units.map((unit) => ({ value: unit, label: words.unit[unit] }))}
          onChange={(unit) => set({ unit: units.find((one) => one === unit) ?? "price", value: "" })} />
      </Row>
      {errors[name] && <div className="danger" role="alert">{errors[name]}</div>}
    </div>
  );
  const rest = Object.entries(errors).filter(([name]) => !["stop", "target", "price", "volume", "risk"].includes(name));
  return (
    <Stack component="form" gap="sm" onSubmit={(event) => {
      event.preventDefault();
      setRefused({});
      if (known) setSure(true);
    }}>
      <div className="positions-fields">
        <Select size="xs" label={words.symbol} searchable allowDeselect={false} data={[...symbols]} value={symbol} onChange={(value) => setSymbol(value)} />
        <div className="positions-quote num">
          {quote.data ? <><span className="dim">{words.bid}</span> <Price value={Number(quote.data.bid)} digits={quote.data.bid.split(".")[1]?.length ?? 0} /> <span className="dim">{words.ask}</span> <Price value={Number(quote.data.ask)} digits={quote.data.ask.split(".")[1]?.length ?? 0} /></>
            : <span className="dim" title={quote.error?.message}>{quote.error ? words.noQuote : common.loading}</span>}
        </div>
        <SegmentedControl size="xs" aria-label={words.col.side} value={side} onChange={(value) => setSide(value === "sell" ? "sell" : "buy")} data={[{ value: "buy", label: `▲ ${words.buy}` }, { value: "sell", label: `▼ ${words.sell}` }]} />
        <SegmentedControl size="xs" aria-label={words.col.type} value={type} onChange={(value) => setType(value === "limit" || value === "stop" ? value : "market")} data={(["market", "limit", "stop"] as const).map((value) => ({ value, label: words.types[value] }))} />
        {waits && <NumberInput size="xs" label={words.price} value={at} min={0} decimalScale={6} error={errors["price"]} onChange={(value) => setAt(number(value))} />}
        {waits && <NumberInput size="xs" label={words.expires} placeholder={words.gtc} value={minutes} min={1} allowDecimal={false} onChange={(value) => setMinutes(number(value))} />}
        {level("stop", stop, setStop, ["price", "points", "atr"])}
        {level("target", target, setTarget, ["price", "points", "atr", "r", "none"])}
        <Row gap={6} wrap="nowrap" align="flex-end">
          <SegmentedControl size="xs" aria-label={words.sizeBy} value={sizeBy} onChange={(value) => setSizeBy(value === "lots" ? "lots" : "risk")} data={[{ value: "risk", label: words.risk }, { value: "lots", label: words.lots }]} />
          {sizeBy === "risk" ? <NumberInput size="xs" style={{ flex: 1 }} label={words.riskPercent} placeholder={words.most} value={risk} min={0} step={0.25} decimalScale={3} error={errors["risk"]} onChange={(value) => setRisk(number(value))} />
            : <NumberInput size="xs" style={{ flex: 1 }} label={words.lots} value={volume} min={0} step={0.01} decimalScale={2} error={errors["volume"]} onChange={(value) => setVolume(number(value))} />}
        </Row>
        {(stop.unit === "atr" || target.unit === "atr") && <Select size="xs" label={words.timeframe} allowDeselect={false} data={[...TIMEFRAMES]} value={timeframe} onChange={(value) => setTimeframe(TIMEFRAMES.find((one) => one === value) ?? "H1")} />}
      </div>
      <TextInput size="xs" label={words.note} value={note} maxLength={500} onChange={(event) => setNote(event.currentTarget.value)} />
      <section className="card" aria-live="polite"><h2>{words.preview}</h2>{complete ? <Figures led={known} currency={currency} equity={account?.equity} failed={failed && Object.keys(failed.fields).length === 0 ? failed : null} /> : <div className="dim">{words.fill}</div>}</section>
      {rest.map(([name, why]) => <Alert key={name} color="red" role="alert">{why}</Alert>)}
      <Row justify="flex-end"><Button variant="default" onClick={done}>{common.cancel}</Button><Button type="submit" disabled={!known}>{words.review}</Button></Row>
    </Stack>
  );
}

function Figures({ led, currency, equity, failed }: { led: Led | null; currency: string; equity: number | undefined; failed: DeskError | null }): ReactNode {
  if (failed) return <div className="danger" role="alert">{failed.message}</div>;
  if (!led) return <div className="dim">{words.previewing}</div>;
  const cells: [string, ReactNode, string][] = [
    [words.lots, lots(led.volume), "lots"], [words.atRisk, <>{money(led.risk_money === null ? null : -led.risk_money, currency)} <span className="dim">{led.risk_money !== null && equity ? percent(led.risk_money / equity) : ""}</span></>, "risk"],
    [words.rr, led.reward_to_risk === null ? common.unknown : `${led.reward_to_risk.toFixed(2)} : 1`, "rr"], [words.margin, money(led.margin, currency, { signed: false }), "margin"],
    [words.entry, led.entry, "entry"], [words.stop, led.stop, "stop"], [words.target, led.target ?? words.none, "target"],
  ];
  return (
    <>
      <dl className="positions-figures">{cells.map(([label, value, name]) => <div key={name}><dt>{label}</dt><dd className="num" data-figure={name}>{value}</dd></div>)}</dl>
      <div className={led.passed ? "up" : "warn"}>{led.passed ? `✓ ${words.passes}` : `▲ ${words.refuses(led.refusals.length)}`}</div>
      {led.refusals.map(({ reason }, n) => <div key={n} className="warn">{reason}</div>)}
    </>
  );
}
