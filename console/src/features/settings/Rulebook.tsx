import { Button, Group, Select, TextInput } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { useMemo, useState, type ReactNode } from "react";
import { partsOf, patchOf, leaves, useDescription, type Described, type Values } from "./schema";
import { SchemaForm } from "./SchemaForm";
import { Head, ReadOnlyNote, useLastChanges, useWrong } from "./shared";
import { TypedConfirm } from "./TypedConfirm";
import { StateOf } from "@/components/StateOf";
import { api, take } from "@/lib/api";
import { money, percent } from "@/lib/format";
import { useMay } from "@/lib/may";
import { useWrite } from "@/lib/mutation";
import { common, settings } from "@/lib/strings";

const words = settings.rulebook;
const NOUNS = ["prop", "risk", "settings", "control"];

/** A prop firm's rules: what is in force, how its challenge stands, another one. */
export function Rulebook(): ReactNode {
  const { own } = useMay();
  const query = useQuery({ queryKey: ["prop", "rulebook"], queryFn: () => take(api.GET("/api/prop/rulebook")) });
  const presets = useQuery({ queryKey: ["prop", "presets"], queryFn: () => take(api.GET("/api/prop/presets")) });
  const description = useDescription();
  const [chosen, setChosen] = useState<string | null>(null);
  const lift = useWrite((reason: string) => take(api.DELETE("/api/prop/rulebook", { body: { reason } })), { nouns: NOUNS });
  return (
    <>
      <Head title={settings.sections.rulebook} about={words.about} />
      <ReadOnlyNote />
      <StateOf query={query} what={settings.sections.rulebook} height={300}>
        {({ rulebook }) => {
          const preset = chosen === null ? undefined : presets.data?.presets[chosen];
          const shown = preset ?? rulebook;
          return (
            <>
              {rulebook ? <Challenge /> : <p>{words.none}</p>}
              {own && (
                <Select size="xs" maw={360} mb={12} clearable label={words.presets} description={words.presetsHint} value={chosen} onChange={setChosen} data={Object.keys(presets.data?.presets ?? {})} />
              )}
              {shown && (
                <StateOf query={description} what={settings.sections.rulebook} height={300}>
                  {(all) => <Form key={chosen ?? JSON.stringify(rulebook)} all={all} first={shown} inForce={(rulebook ?? null)} done={() => setChosen(null)} />}
                </StateOf>
              )}
              {own && rulebook && (
                <section className="card zone" style={{ marginTop: 16 }}>
                  <h2>{settings.control.danger}</h2>
                  <TypedConfirm word={settings.control.words.lift} title={words.lift} text={words.liftText} busy={lift.isPending} act={(reason) => lift.mutate(reason)} />
                </section>
              )}
            </>
          );
        }}
      </StateOf>
    </>
  );
}

function Form({ all, first, inForce, done }: { all: Described; first: Values; inForce: Values | null; done: () => void }): ReactNode {
  const { own } = useMay();
  const [values, setValues] = useState(first);
  const [reason, setReason] = useState("");
  const parts = useMemo(() => partsOf("Rulebook", all), [all]);
  const keys = useMemo(() => [...parts.flatMap(({ fields }) => fields.map(({ key }) => key)).sort((a, b) => b.length - a.length), "reason"], [parts]);
  const wrong = useWrong(keys);
  const last = useLastChanges("config/prop_rulebook.json");
  const count = leaves(patchOf(inForce ?? {}, values));
  const save = useWrite(() => take(api.PUT("/api/prop/rulebook", { body: { rulebook: values, reason } as never })), {
    nouns: NOUNS, onFields: wrong.set, done: () => {
      wrong.set({});
      done();
    },
  });
  return (
    <form onSubmit={(event) => {
      event.preventDefault();
      save.mutate(undefined);
    }}>
      <SchemaForm parts={parts} values={values} change={setValues} readOnly={!own} wrong={wrong.of} last={last} />
      {wrong.rest}
      {own && (
        <Group className="savebar" gap={8} align="start">
          <TextInput size="xs" placeholder={settings.reason} aria-label={settings.reason} title={settings.reasonHint} value={reason} error={wrong.of("reason")} style={{ flex: 1, minWidth: 140 }}
            onChange={(event) => setReason(event.currentTarget.value)} />
          <Button size="xs" type="submit" disabled={count === 0} loading={save.isPending}>{words.put}</Button>
        </Group>
      )}
    </form>
  );
}

function Challenge(): ReactNode {
  const query = useQuery({ queryKey: ["prop", "challenge"], queryFn: () => take(api.GET("/api/prop/challenge")), refetchInterval: 10_000 });
  const row = (name: string, value: ReactNode): ReactNode => <div className="row"><span className="what dim">{name}</span><span className="num">{value}</span></div>;
  return (
    <section className="card" style={{ marginBottom: 12 }}>
      <h2>{words.challenge}</h2>
      <StateOf query={query} what={words.challenge}>
        {({ measured, reason, challenge, room, notes }) => (
          <>
            {!measured && <div className="warn">{words.notMeasured}: {reason}</div>}
            {challenge && (
              <>
                {row(words.state, <b className={challenge.state === "breached" ? "danger" : ""}>{challenge.state}</b>)}
                {row(words.profit, money(Number(challenge.profit)))}
                {row(words.target, challenge.target === null ? common.unknown : `${money(Number(challenge.target))}${challenge.progress === null ? "" : ` (${percent(challenge.progress, 0)})`}`)}
                {row(words.days, challenge.days)}
                {row(words.tradingDays, challenge.trading_days)}
                {row(words.bestDay, challenge.best_day === null ? common.unknown : `${challenge.best_day.day} ${money(Number(challenge.best_day.profit))}`)}
              </>
            )}
            {room && Object.entries(room).map(([name, value]) => <div key={name}>{row(`${words.room}: ${name.replaceAll("_", " ")}`, money(Number(value), "", { signed: false }))}</div>)}
            {notes.map((note) => <div key={note} className="dim">{note}</div>)}
          </>
        )}
      </StateOf>
    </section>
  );
}
