import { Autocomplete, Button, Group, NumberInput, Select, Stack, Switch } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { useState, type ReactNode } from "react";
import { Actions } from "./Actions";
import type { Argument, Runnable } from "./arguments";
import { described, run } from "./form";
import { JobLink, line, short, StateWord } from "./parts";
import { ConfirmButton } from "@/components/ConfirmButton";
import { RelativeTime } from "@/components/Numbers";
import { StateOf } from "@/components/StateOf";
import { useFilters } from "@/lib/address";
import { api, idempotencyKey, take } from "@/lib/api";
import { useMay } from "@/lib/may";
import { useWrite } from "@/lib/mutation";
import { control, status } from "@/lib/queries";
import { tasks as words } from "@/lib/strings";

export function Run(): ReactNode {
  const query = useQuery(described);
  const may = useMay();
  const [{ run: chosen }, change] = useFilters(["run"]);
  const [queued, setQueued] = useState<readonly string[]>([]);
  if (!may.trade) return <p className="dim">{words.viewer}</p>;
  return (
    <StateOf query={query} what={words.views.run} height={200}>
      {(list) => {
        const one = list.find(({ name }) => name === chosen) ?? list[0];
        if (!one) return null;
        const groups = [...new Set(list.map(({ group }) => group))];
        return (
          <div className="grid12">
            <section className="card span6">
              <h2>{words.views.run}</h2>
              <Stack gap={10}>
                <Select
                  size="xs" label={words.runWhat} searchable allowDeselect={false} value={one.name} onChange={(value) => change({ run: value })} description={one.says}
                  data={groups.map((group) => ({ group, items: list.filter((each) => each.group === group).map(({ name }) => ({ value: name, label: name })) }))}
                />
                <Form key={one.path} one={one} done={(id) => setQueued((before) => [id, ...before])} />
              </Stack>
            </section>
            <section className="card span6">
              <h2>{words.runQueued}</h2>
              {queued.length === 0 && <div className="dim">{words.runNothing}</div>}
              {queued.map((id) => <Queued key={id} id={id} />)}
            </section>
          </div>
        );
      }}
    </StateOf>
  );
}

function Form({ one, done }: { one: Runnable; done: (id: string) => void }): ReactNode {
  const [values, setValues] = useState<Record<string, unknown>>(() => Object.fromEntries(one.arguments.map(({ name, usual, kind }) => [name, usual ?? (kind === "yes-no" ? false : "")])));
  const [wrong, setWrong] = useState<Record<string, string>>({});
  const [key, setKey] = useState(idempotencyKey);
  const { data: desk } = useQuery(control);
  const write = useWrite((body: Record<string, unknown>) => run(one.path, body, key), {
    nouns: ["tasks", "queues"], onFields: setWrong,
    done: ({ task_id: id }) => {
      setKey(idempotencyKey());
      done(id);
    },
  });
  const submit = (): void => {
    setWrong({});
    write.mutate(Object.fromEntries(Object.entries(values).filter(([name, value]) => value !== "" || one.arguments.find((each) => each.name === name)?.required === true)));
  };
  const mayTrade = desk?.mode === "autonomous" && one.name.startsWith("evaluate");
  return (
    <form
      onSubmit={(event) => {
        event.preventDefault();
        if (!mayTrade) submit();
      }}
    >
      <Stack gap={10}>
        {one.arguments.length === 0 && <span className="dim">{words.runNoFields}</span>}
        {one.arguments.map((each) => <Field key={each.name} one={each} value={values[each.name]} error={wrong[each.name]} set={(value) => setValues((before) => ({ ...before, [each.name]: value }))} />)}
        <Group>
          {mayTrade
            ? <ConfirmButton size="xs" action={words.runTrades} loading={write.isPending} onConfirm={submit}>{words.runDo}</ConfirmButton>
            : <Button type="submit" size="xs" loading={write.isPending}>{words.runDo}</Button>}
        </Group>
      </Stack>
    </form>
  );
}

function Field({ one, value, error, set }: { one: Argument; value: unknown; error: string | undefined; set: (value: unknown) => void }): ReactNode {
  const { data: desk } = useQuery(status);
  const { data: strategies } = useQuery({ queryKey: ["strategies", "names"], queryFn: () => take(api.GET("/api/strategies", { params: { query: { limit: 500 } } })), enabled: one.name === "strategy_name" });
  const look = { size: "xs", label: one.name.replaceAll("_", " "), description: one.says, error, withAsterisk: one.required } as const;
  if (one.kind === "yes-no") return <Switch size="sm" label={look.label} description={one.says} error={error} checked={value === true} onChange={(event) => set(event.currentTarget.checked)} />;
  if (one.kind === "number") return <NumberInput {...look} value={value as string | number} allowDecimal={false} onChange={set} {...(one.least === undefined ? {} : { placeholder: `${one.least}–${one.most ?? ""}` })} />;
  const known = one.words ?? (one.name === "symbol" ? desk?.symbols : strategies?.strategies.map((strategy) => String(strategy["id"]))) ?? [];
  return <Autocomplete {...look} data={[...new Set(known)]} value={String(value)} onChange={set} limit={50} />;
}

function Queued({ id }: { id: string }): ReactNode {
  const query = useQuery({ queryKey: ["tasks", "one", id], queryFn: () => take(api.GET("/api/tasks/{task_id}", { params: { path: { task_id: id } } })) });
  return (
    <StateOf query={query} what={words.one} height={28}>
      {(job) => (
        <div className="row wraps">
          <span style={{ width: 92 }}><StateWord state={job.state} /></span>
          <span className="what"><JobLink id={id}>{short(job.task)}</JobLink> <span className="dim">{line(job.kwargs)}</span></span>
          <RelativeTime wall at={job.finished_at ?? job.queued_at} />
          <Actions job={job} />
        </div>
      )}
    </StateOf>
  );
}
