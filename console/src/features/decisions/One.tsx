import { Alert, Button, Table } from "@mantine/core";
import { useMutation, useQuery } from "@tanstack/react-query";
import { Link, useParams } from "@tanstack/react-router";
import type { ReactNode } from "react";
import { figure, fixedScore } from "./score";
import { of, plain, sentence, type Condition, type Decision, type Row } from "./shapes";
import { JsonView } from "@/components/JsonView";
import { Price, RelativeTime } from "@/components/Numbers";
import { StateOf } from "@/components/StateOf";
import { api, take, type Schemas } from "@/lib/api";
import { digitsOf, lots, money } from "@/lib/format";
import { tell } from "@/lib/mutation";
import { common, decisions as words } from "@/lib/strings";

/** One decision: everything it saw, and whether the same bytes come out again. */
export function Page(): ReactNode {
  const { id = "" }: { id?: string } = useParams({ strict: false });
  const found = useQuery({ queryKey: ["decisions", "one", id], queryFn: () => take(api.GET("/api/decisions/{decision_id}", { params: { path: { decision_id: id }, query: { inputs: true } } })), staleTime: Infinity });
  return <StateOf query={found} what={words.one} height={480}>{(row) => <Shown row={row} key={row.seq} />}</StateOf>;
}

function Shown({ row }: { row: Row }): ReactNode {
  const made = of(row);
  const look = made.signal === "long" ? "up" : made.signal === "short" ? "down" : "";
  return (
    <>
      <Link to="/decisions" className="dim">← {words.back}</Link>
      <h1 style={{ fontSize: 18, margin: "6px 0 12px" }}><span className={look}>{made.symbol} {made.timeframe}</span> · <span className="dim">{made.strategy_id}</span></h1>
      <div className="grid12">
        <section className="card span8">
          <h2>{words.summary}</h2>
          <p style={{ margin: "0 0 8px" }}>{sentence(made)}</p>
          <Facts rows={[
            [words.action, plain(made.action)],
            [words.decidedAt, <RelativeTime key="at" past at={made.decided_at} />],
            [words.strategy, <Link key="strategy" to={`/strategies/${made.strategy_id}`}>{made.strategy_id}</Link>],
            [words.toIdea, made.idea_id ? <Link key="idea" to={`/ideas/${made.idea_id}`}>{made.idea_id}</Link> : words.noIdea],
            [words.actor, row.actor],
            [words.seq, row.seq],
            [words.hash, <code key="hash">{row.hash.slice(0, 16)}</code>],
          ]} />
          {[...made.notes, ...(made.confidence?.notes ?? [])].filter((note, at, all) => all.indexOf(note) === at).map((note) => <div key={note} className="dim">{note}</div>)}
        </section>
        <section className="card span4"><h2>{words.replay}</h2><Replay id={row.id ?? ""} /></section>
        <section className="card span8"><h2>{words.conditionsTitle}</h2><Conditions made={made} /></section>
        <div className="span4" style={{ display: "grid", gap: 16 }}>
          <section className="card"><h2>{words.levels}</h2><LevelsOf made={made} currency={currencyOf(row)} /></section>
          <section className="card"><h2 title={words.partsTip}>{words.parts}</h2><Score made={made} /></section>
        </div>
        <section className="card span12"><h2 title={words.gateTip}>{words.gate}</h2><Gate made={made} /></section>
        <section className="card span4"><h2>{words.measured}</h2><Facts rows={entriesOf(made.measured)} /></section>
        <section className="card span4"><h2>{words.facts}</h2><Facts rows={entriesOf(made.facts?.values)} /></section>
        <section className="card span4"><h2>{words.circumstances}</h2><Facts rows={[...entriesOf(made.circumstances), ...entriesOf(made.terms)]} /></section>
        <section className="card span12"><h2>{words.inputs}</h2>{row.inputs && <Inputs inputs={row.inputs} />}</section>
      </div>
    </>
  );
}

const entriesOf = (values: Record<string, unknown> | null | undefined): [string, ReactNode][] => Object.entries(values ?? {}).map(([name, value]) => [plain(name), figure(value)]);

function Facts({ rows }: { rows: readonly (readonly [string, ReactNode])[] }): ReactNode {
  return rows.map(([name, value]) => (
    <div key={name} className="row"><span className="what dim">{name}</span><span className="num" style={{ whiteSpace: "normal", textAlign: "right", overflowWrap: "anywhere" }}>{value}</span></div>
  ));
}

function Conditions({ made }: { made: Decision }): ReactNode {
  return Object.entries(made.facts?.conditions ?? {}).map(([side, list]) => (
    <div key={side}>
      <b className={side === "long" ? "up" : "down"}>{side === "long" ? `▲ ${words.long}` : `▼ ${words.short}`}</b>
      {list.map((one, at) => <ConditionRow key={at} one={one} />)}
    </div>
  ));
}

function ConditionRow({ one }: { one: Condition }): ReactNode {
  const said = one.holds === true ? words.holds : one.holds === false ? words.fails : common.notKnown;
  return (
    <div className="row" style={{ flexWrap: "wrap" }}>
      <span style={{ width: 16 }} className={one.holds ? "up" : "dim"} role="img" aria-label={said} title={said}>{one.holds === true ? "●" : one.holds === false ? "○" : "?"}</span>
      <span className="dim" style={{ width: 80 }}>{plain(one.role)}</span>
      <span className="what" title={one.formula}>{one.meaning}</span>
      <span className="num dim" style={{ whiteSpace: "normal" }}>{Object.entries(one.operands).map(([name, value]) => `${name} = ${figure(value)}`).join(", ")}</span>
    </div>
  );
}

/** Of the account that it was decided for; "" where its inputs are not kept any more. */
function currencyOf({ inputs }: Row): string {
  const account = inputs?.["account"] as { content?: { currency?: unknown } | null } | undefined;
  return typeof account?.content?.currency === "string" ? account.content.currency : "";
}

function LevelsOf({ made, currency }: { made: Decision; currency: string }): ReactNode {
  const { levels, size } = made;
  if (!levels) return <div className="dim">{words.noLevels}</div>;
  const digits = digitsOf(levels.tick_size);
  return (
    <Facts rows={[
      [words.entry, <Price key="e" value={levels.entry} digits={digits} />],
      [words.stop, <Price key="s" value={levels.stop} digits={digits} />],
      [words.target, <Price key="t" value={levels.target} digits={digits} />],
      [words.rr, figure(levels.reward_to_risk)],
      [words.atr, figure(made.atr)],
      [words.lots, <span key="l" title={size ? `${words.limitedBy} ${plain(size.limited_by)}` : ""}>{lots(size?.lots)}</span>],
      [words.risk, money(size?.risk_taken, currency, { signed: false })],
      [words.margin, money(size?.margin, currency, { signed: false })],
    ]} />
  );
}

function Score({ made }: { made: Decision }): ReactNode {
  const found = made.confidence;
  if (!found) return <div className="dim">{common.notKnown}</div>;
  const colours = ["var(--up)", "var(--mantine-primary-color-filled)", "var(--warn)"];
  const parts = [["strategy", found.strategy], ["market", found.market], ["account", found.account]] as const;
  return (
    <>
      <b className="num" style={{ fontSize: 20 }} title={words.scoreTip}>{fixedScore(found.score)}</b>
      <div className="bar" style={{ height: 10, display: "flex", margin: "4px 0 8px" }} role="img" aria-label={parts.map(([name, value]) => `${name} ${fixedScore(value)}`).join(", ")}>
        {parts.map(([name, value], at) => <span key={name} style={{ width: `${value ?? 0}%`, background: colours[at] }} />)}
      </div>
      <Facts rows={[...parts.map(([name, value]) => [name, fixedScore(value)] as const), ...entriesOf(found.parts)]} />
    </>
  );
}

function Gate({ made }: { made: Decision }): ReactNode {
  if (made.refusals.length === 0) return <div className="dim">{words.gateNone}</div>;
  return made.refusals.map(({ check, reason, measured, bound, blocks }) => (
    <div key={check} className="row" style={{ flexWrap: "wrap" }}>
      <Link to="/decisions" search={{ refused_by: check }} style={{ width: 180 }}>{plain(check)}</Link>
      <span className="what">{reason}</span>
      <span className="num">{figure(measured)} <span className="dim">/ {figure(bound)}</span></span>
      <span className={blocks ? "danger" : "dim"} style={{ width: 110, textAlign: "right" }}>{blocks ? words.blocks : words.observes}</span>
    </div>
  ));
}

function Inputs({ inputs }: { inputs: Record<string, unknown> }): ReactNode {
  type Input = { hash?: string; content?: unknown; problem?: string | null; timeframe?: string; count?: number };
  const list = Object.entries(inputs).flatMap(([name, value]) =>
    Array.isArray(value) ? (value as Input[]).map((one) => [`${name} ${one.timeframe ?? ""} (${one.count ?? 0})`, one] as const) : [[name, value as Input] as const]);
  return list.map(([name, one]) => (
    <details key={name} className="row" style={{ display: "block" }}>
      <summary>{name} <code className="dim">{(one.hash ?? "").slice(0, 16)}</code>{one.problem && <span className="danger"> {words.inputsProblem}: {one.problem}</span>}</summary>
      <JsonView value={one.content ?? one} maxHeight={280} />
    </details>
  ));
}

function Replay({ id }: { id: string }): ReactNode {
  const run = useMutation({ mutationFn: () => take(api.GET("/api/decisions/{decision_id}/replay", { params: { path: { decision_id: id } } })), onError: tell });
  return (
    <>
      <p className="dim" style={{ margin: "0 0 8px" }}>{words.replayTip}.</p>
      <Button size="compact-sm" loading={run.isPending} onClick={() => run.mutate()}>{words.replay}</Button>
      {run.data && <Result of={run.data} />}
    </>
  );
}

function Result({ of: said }: { of: Schemas["ReplayedDecision"] }): ReactNode {
  const good = said.same && said.record_intact;
  return (
    <Alert mt="sm" color={good ? "blue" : "red"} role="status" title={said.same ? words.same : words.notSame}>
      <div>{said.record_intact ? words.intact : words.notIntact}</div>
      <div>{words.inputsSame(said.inputs.filter((one) => one["same"] === true).length, said.inputs.length)}</div>
      {said.inputs.filter((one) => one["same"] !== true).map((one) => <div key={String(one["input"])}>{String(one["input"])}: {figure(one["why"])}</div>)}
      <div className="dim">{words.engines(said.engine["recorded"] ?? common.unknown, said.engine["present"] ?? common.unknown)}</div>
      {said.notes.map((note) => <div key={note} className="dim">{note}</div>)}
      {said.differences.length > 0 && (
        <Table>
          <Table.Thead><Table.Tr><Table.Th>{words.pointer}</Table.Th><Table.Th>{words.recorded}</Table.Th><Table.Th>{words.computed}</Table.Th></Table.Tr></Table.Thead>
          <Table.Tbody>{said.differences.map((one) => <Table.Tr key={String(one["pointer"])}><Table.Td>{String(one["pointer"])}</Table.Td><Table.Td>{figure(one["recorded"])}</Table.Td><Table.Td>{figure(one["computed"])}</Table.Td></Table.Tr>)}</Table.Tbody>
        </Table>
      )}
      {said.more_differences > 0 && <div>{words.more(said.more_differences)}</div>}
    </Alert>
  );
}
