import { Button, Group, NumberInput, PasswordInput, Switch, TextInput } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { useMemo, useState, type ReactNode } from "react";
import { nameOf, patchOf, type Values } from "./schema";
import { CONFLICT, ConflictNote, Head, LastChange, ReadOnlyNote, tagged, useLastChanges, useWrong } from "./shared";
import { Tried } from "./Tried";
import { ConfirmButton } from "@/components/ConfirmButton";
import { RelativeTime } from "@/components/Numbers";
import { StateOf } from "@/components/StateOf";
import { api, take, type Schemas } from "@/lib/api";
import { useMay } from "@/lib/may";
import { useWrite } from "@/lib/mutation";
import { settings } from "@/lib/strings";

const words = settings.integrations;
const NOUNS = ["integrations", "settings", "security"];

/** Calendar providers, terminal and broker: whether they answer, their keys, their settings. */
export function Integrations(): ReactNode {
  const query = useQuery({ queryKey: ["integrations"], queryFn: () => tagged(api.GET("/api/integrations")), refetchInterval: 30_000 });
  const last = useLastChanges("config/api_integrations.json").get("economic_calendar");
  return (
    <>
      <Head title={settings.sections.integrations} about={words.about}><LastChange change={last} /></Head>
      <ReadOnlyNote />
      <StateOf query={query} what={settings.sections.integrations} height={400}>
        {({ data, etag }) => (
          <>
            {data.integrations.map((one) => <One key={one.name} one={one} etag={etag} />)}
            <Schedule key={`${data.update_minutes}/${data.max_age_hours}`} list={data} etag={etag} />
          </>
        )}
      </StateOf>
    </>
  );
}

function One({ one, etag }: { one: Schemas["Integration"]; etag: string }): ReactNode {
  const { own } = useMay();
  const path = { name: one.name };
  const header = { "If-Match": etag };
  const [open, setOpen] = useState(false);
  const choose = useWrite(() => take(api.PATCH("/api/integrations/{name}", { params: { path, header }, body: { choose: true } as never })), { nouns: NOUNS, shown: CONFLICT });
  const test = useWrite(() => take(api.POST("/api/integrations/{name}/test", { params: { path } })), { nouns: NOUNS, shown: CONFLICT });
  const forget = useWrite(() => take(api.DELETE("/api/integrations/{name}/key", { params: { path } })), { nouns: NOUNS, shown: CONFLICT });
  const fact = (name: string, value: ReactNode): ReactNode => <span><span className="dim">{name} </span>{value}</span>;
  return (
    <section className="card" style={{ marginBottom: 10 }} aria-label={one.title}>
      <Group justify="space-between" gap={8}>
        <div><b>{one.title}</b> <span className="dim">{words.kinds[one.kind] ?? one.kind}</span> {one.in_use && <span className="up">● {words.inUse}</span>}</div>
        {own && (
          <Group gap={6}>
            {one.kind === "calendar" && !one.in_use && <Button size="compact-xs" variant="default" loading={choose.isPending} onClick={() => choose.mutate(undefined)}>{words.choose}</Button>}
            {(one.wants_key || one.key !== null || Object.keys(one.settings).length > 0) && <Button size="compact-xs" variant="default" aria-expanded={open} onClick={() => setOpen(!open)}>{settings.edit}</Button>}
            <Button size="compact-xs" variant="default" loading={test.isPending} onClick={() => test.mutate(undefined)}>{words.test}</Button>
          </Group>
        )}
      </Group>
      <Group gap="2px 18px" mt={4}>
        {one.host && fact(words.host, one.host)}
        {(one.wants_key || one.key !== null) && fact(words.key, <code>{one.key ?? words.noKey}</code>)}
        {one.fetched_at && fact(words.fetched, <RelativeTime at={one.fetched_at} wall />)}
        {one.checked_at && fact(words.checked, <RelativeTime at={one.checked_at} wall />)}
        {(one.failures ?? 0) > 0 && fact(words.failures, <b className="warn">{one.failures}</b>)}
        {one.next_at && fact(words.next, <RelativeTime at={one.next_at} wall />)}
      </Group>
      {one.key_problem && one.key !== null && <div className="danger">{one.key_problem}</div>}
      {one.error && <div className="warn" style={{ overflowWrap: "anywhere" }}>{words.error}: {one.error}</div>}
      <ConflictNote error={choose.error} />
      {open && own && (
        <>
          {(one.wants_key || one.kind === "terminal") && <Key name={one.name} />}
          {one.key !== null && <ConfirmButton size="compact-xs" action={words.forgetKeyAction} onConfirm={() => forget.mutate(undefined)}>{words.forgetKey}</ConfirmButton>}
          {one.kind === "calendar" && <Settings one={one} etag={etag} />}
        </>
      )}
      {test.data && <Tried tried={test.data} />}
    </section>
  );
}

function Key({ name }: { name: string }): ReactNode {
  const [key, setKey] = useState("");
  const wrong = useWrong(["key"]);
  const keep = useWrite(() => take(api.PUT("/api/integrations/{name}/key", { params: { path: { name } }, body: { key } })), {
    nouns: NOUNS, shown: CONFLICT, onFields: wrong.set, done: () => {
      wrong.set({});
      setKey("");
    },
  });
  return (
    <Group component="form" align="end" gap={8} mt={8} mb={6} onSubmit={(event) => {
      event.preventDefault();
      keep.mutate(undefined);
    }}>
      <PasswordInput size="xs" w={260} label={words.newKey} autoComplete="new-password" value={key} error={wrong.of("key")} onChange={(event) => setKey(event.currentTarget.value)} />
      <Button size="xs" variant="default" type="submit" disabled={key === ""} loading={keep.isPending}>{words.keepKey}</Button>
    </Group>
  );
}

function Settings({ one, etag }: { one: Schemas["Integration"]; etag: string }): ReactNode {
  const [values, setValues] = useState<Values>(one.settings);
  const names = useMemo(() => Object.keys(one.settings), [one.settings]);
  const wrong = useWrong(names);
  const patch = patchOf(one.settings, values);
  const save = useWrite(() => take(api.PATCH("/api/integrations/{name}", { params: { path: { name: one.name }, header: { "If-Match": etag } }, body: { settings: patch } as never })), {
    nouns: NOUNS, shown: CONFLICT, onFields: wrong.set, done: (made) => {
      wrong.set({});
      setValues(made.settings);
    },
  });
  return (
    <form onSubmit={(event) => {
      event.preventDefault();
      save.mutate(undefined);
    }}>
      {names.map((name) => {
        const value = values[name];
        const set = (next: unknown): void => setValues({ ...values, [name]: next });
        const look = { size: "xs", mt: 6, maw: 460, label: nameOf(name), error: wrong.of(name) } as const;
        if (typeof value === "boolean") return <Switch key={name} {...look} checked={value} onChange={(event) => set(event.currentTarget.checked)} />;
        if (typeof one.settings[name] === "number") return <NumberInput key={name} {...look} hideControls clampBehavior="none" value={typeof value === "number" ? value : ""} onChange={(next) => set(next === "" ? null : Number(next))} />;
        if (Array.isArray(value)) return <TextInput key={name} {...look} value={value.join(", ")} onChange={(event) => set(event.currentTarget.value.split(/,\s*/).filter(Boolean))} />;
        return <TextInput key={name} {...look} value={typeof value === "string" ? value : ""} onChange={(event) => set(event.currentTarget.value || null)} />;
      })}
      {wrong.rest}
      <ConflictNote error={save.error} />
      <Button mt={8} size="xs" type="submit" disabled={Object.keys(patch).length === 0} loading={save.isPending}>{settings.save}</Button>
    </form>
  );
}

function Schedule({ list, etag }: { list: Schemas["IntegrationList"]; etag: string }): ReactNode {
  const { own } = useMay();
  const [values, setValues] = useState<Values>({ update_minutes: list.update_minutes, max_age_hours: list.max_age_hours });
  const wrong = useWrong(["update_minutes", "max_age_hours"]);
  const used = list.integrations.find(({ kind, in_use }) => kind === "calendar" && in_use);
  const save = useWrite(() => take(api.PATCH("/api/integrations/{name}", { params: { path: { name: used?.name ?? "" }, header: { "If-Match": etag } }, body: values as never })), { nouns: NOUNS, shown: CONFLICT, onFields: wrong.set, done: () => wrong.set({}) });
  const changed = values["update_minutes"] !== list.update_minutes || values["max_age_hours"] !== list.max_age_hours;
  if (!used) return null;
  const field = (name: "update_minutes" | "max_age_hours", label: string): ReactNode => (
    <NumberInput size="xs" label={label} hideControls clampBehavior="none" readOnly={!own} value={typeof values[name] === "number" ? values[name] : ""} error={wrong.of(name)}
      onChange={(next) => setValues({ ...values, [name]: next === "" ? null : Number(next) })} />
  );
  return (
    <form className="card" onSubmit={(event) => {
      event.preventDefault();
      save.mutate(undefined);
    }}>
      <h2>{words.schedule}</h2>
      <Group align="end" gap={12}>
        {field("update_minutes", words.minutes)}
        {field("max_age_hours", words.maxAge)}
        {own && <Button size="xs" type="submit" disabled={!changed} loading={save.isPending}>{settings.save}</Button>}
      </Group>
      {wrong.rest}
      <ConflictNote error={save.error} />
    </form>
  );
}
