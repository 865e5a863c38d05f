import { Alert, Button, Code, CopyButton, Group, NumberInput, PasswordInput, Select, TextInput } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { useState, type ReactNode } from "react";
import { Head, useWrong } from "./shared";
import { ConfirmButton } from "@/components/ConfirmButton";
import { Moment, RelativeTime } from "@/components/Numbers";
import { StateOf } from "@/components/StateOf";
import { api, take, type Schemas } from "@/lib/api";
import { useWrite } from "@/lib/mutation";
import * as read from "@/lib/queries";
import { settings } from "@/lib/strings";

const words = settings.access;
const NOUNS = ["sessions", "tokens", "security"];
type Role = Schemas["TokenView"]["scope"];
const RANK: readonly Role[] = ["viewer", "trader", "owner"];

/** One's own password, the browsers that are signed in, and the tokens of programs. */
export function Access(): ReactNode {
  const { data: me } = useQuery(read.session);
  const sessions = useQuery({ queryKey: ["sessions"], queryFn: () => take(api.GET("/api/sessions")) });
  const end = useWrite((session_id: string) => take(api.DELETE("/api/sessions/{session_id}", { params: { path: { session_id } } })), { nouns: NOUNS });
  const all = useWrite(() => take(api.DELETE("/api/sessions")), { nouns: NOUNS, done: () => location.reload() });
  return (
    <>
      <Head title={settings.sections.access} />
      <section className="card" style={{ marginBottom: 12 }}><h2>{words.password}</h2>{me?.way === "session" ? <Password /> : <div className="dim">{words.local}</div>}</section>
      <section className="card" style={{ marginBottom: 12 }}>
        <h2>{words.sessions}</h2>
        <StateOf query={sessions} what={words.sessions} isEmpty={(data) => data.sessions.length === 0} empty={words.noSessions}>
          {(data) => (
            <>
              {data.sessions.map((one) => (
                <div key={one.id} className="row" style={{ flexWrap: "wrap" }}>
                  <span className="what"><b>{one.user}</b> {one.this && <span className="up">● {words.this}</span>} <span className="dim">{one.address} · {one.agent}</span></span>
                  <span className="dim">{words.renewed} <RelativeTime at={one.renewed_at} wall /> · {words.expires} <Moment at={one.expires_at} /></span>
                  <ConfirmButton size="compact-xs" action={words.endAction} onConfirm={() => end.mutate(one.id)}>{words.end}</ConfirmButton>
                </div>
              ))}
              {me?.way === "session" && <ConfirmButton mt={8} size="xs" action={words.allAction} onConfirm={() => all.mutate(undefined)}>{words.all}</ConfirmButton>}
            </>
          )}
        </StateOf>
      </section>
      <Tokens most={me?.role ?? "viewer"} person={me?.way === "session"} />
    </>
  );
}

function Password(): ReactNode {
  const [body, setBody] = useState({ present: "", password: "" });
  const wrong = useWrong(["present", "password"]);
  const change = useWrite(() => take(api.PUT("/api/session/password", { body })), {
    nouns: NOUNS, onFields: wrong.set, done: () => {
      wrong.set({});
      setBody({ present: "", password: "" });
    },
  });
  return (
    <Group component="form" gap={8} align="end" onSubmit={(event) => {
      event.preventDefault();
      change.mutate(undefined);
    }}>
      <PasswordInput size="xs" w={200} label={words.present} autoComplete="current-password" value={body.present} error={wrong.of("present")} onChange={(event) => setBody({ ...body, present: event.currentTarget.value })} />
      <PasswordInput size="xs" w={200} label={words.new} autoComplete="new-password" value={body.password} error={wrong.of("password")} onChange={(event) => setBody({ ...body, password: event.currentTarget.value })} />
      <Button size="xs" type="submit" disabled={!body.present || !body.password} loading={change.isPending}>{words.changePassword}</Button>
      {change.isSuccess && <span role="status" className="dim">{words.passwordDone}</span>}
    </Group>
  );
}

function Tokens({ most, person }: { most: Role; person: boolean }): ReactNode {
  const query = useQuery({ queryKey: ["tokens"], queryFn: () => take(api.GET("/api/tokens")) });
  const [body, setBody] = useState<{ label: string; scope: Role; days: number }>({ label: "", scope: "viewer", days: 90 });
  const wrong = useWrong(["label", "scope", "days"]);
  const revoke = useWrite((token_id: string) => take(api.DELETE("/api/tokens/{token_id}", { params: { path: { token_id } } })), { nouns: NOUNS });
  const make = useWrite(() => take(api.POST("/api/tokens", { body })), {
    nouns: NOUNS, onFields: wrong.set, done: () => {
      wrong.set({});
      setBody({ ...body, label: "" });
    },
  });
  return (
    <section className="card">
      <h2>{words.tokens}</h2>
      {make.data && (
        <Alert color="yellow" title={words.once} role="status" mb={8}>
          <Code block style={{ overflowWrap: "anywhere", whiteSpace: "pre-wrap" }} data-token>{make.data.token}</Code>
          <Group gap={8} mt={6}>
            <CopyButton value={make.data.token}>{({ copied, copy }) => <Button size="compact-xs" variant="default" onClick={copy}>{copied ? words.copied : words.copy}</Button>}</CopyButton>
            <Button size="compact-xs" variant="default" onClick={() => make.reset()}>{words.done}</Button>
          </Group>
        </Alert>
      )}
      <StateOf query={query} what={words.tokens} isEmpty={({ tokens }) => tokens.length === 0} empty={words.noTokens}>
        {({ tokens }) => tokens.map((one) => (
          <div key={one.id} className="row" style={{ flexWrap: "wrap" }}>
            <span className="what"><b>{one.label}</b> <span className="dim">{one.user} · {one.scope}</span></span>
            <span className="dim">{words.expires} <Moment at={one.expires_at} /></span>
            <ConfirmButton size="compact-xs" action={words.revokeAction} onConfirm={() => revoke.mutate(one.id)}>{words.revoke}</ConfirmButton>
          </div>
        ))}
      </StateOf>
      {!person && <div className="dim">{words.noPerson}</div>}
      {person && <Group component="form" gap={8} align="end" mt={10} onSubmit={(event) => {
        event.preventDefault();
        make.mutate(undefined);
      }}>
        <TextInput size="xs" label={words.label} value={body.label} error={wrong.of("label")} style={{ flex: "1 1 180px" }} onChange={(event) => setBody({ ...body, label: event.currentTarget.value })} />
        <Select size="xs" w={110} label={words.scope} allowDeselect={false} data={RANK.slice(0, RANK.indexOf(most) + 1)} value={body.scope} error={wrong.of("scope")} onChange={(scope) => scope && setBody({ ...body, scope: scope as Role })} />
        <NumberInput size="xs" w={90} label={words.days} hideControls clampBehavior="none" value={body.days} error={wrong.of("days")} onChange={(days) => setBody({ ...body, days: Number(days) })} />
        <Button size="xs" type="submit" loading={make.isPending}>{words.make}</Button>
      </Group>}
    </section>
  );
}
