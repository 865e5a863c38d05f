import { Button, Group, Modal, PasswordInput, Select, Stack, TextInput } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { useState, type ReactNode } from "react";
import { Head, useWrong } from "./shared";
import { ConfirmButton } from "@/components/ConfirmButton";
import { Moment } from "@/components/Numbers";
import { StateOf } from "@/components/StateOf";
import { api, take, type Schemas } from "@/lib/api";
import { useWrite } from "@/lib/mutation";
import { common, settings } from "@/lib/strings";

const words = settings.users;
const NOUNS = ["users", "sessions", "tokens", "security"];
type User = Schemas["UserView"];
type Role = User["role"];
const ROLES = Object.entries(words.roles).map(([value, label]) => ({ value, label }));

/** Who may sign in, as what. */
export function Users(): ReactNode {
  const query = useQuery({ queryKey: ["users"], queryFn: () => take(api.GET("/api/users")) });
  const [adding, setAdding] = useState(false);
  return (
    <>
      <Head title={settings.sections.users} about={words.about}><Button size="xs" onClick={() => setAdding(true)}>{words.add}</Button></Head>
      <StateOf query={query} what={settings.sections.users} height={200} isEmpty={({ users }) => users.length === 0} empty={words.none}>
        {({ users }) => <section className="card">{users.map((user) => <One key={user.name} user={user} />)}</section>}
      </StateOf>
      <Modal opened={adding} onClose={() => setAdding(false)} title={words.add}>{adding && <Add done={() => setAdding(false)} />}</Modal>
    </>
  );
}

function One({ user }: { user: User }): ReactNode {
  const path = { name: user.name };
  const [setting, setSetting] = useState(false);
  const change = useWrite((body: { role?: Role; disabled?: boolean }) => take(api.PATCH("/api/users/{name}", { params: { path }, body })), { nouns: NOUNS });
  const end = useWrite(() => take(api.DELETE("/api/users/{name}/sessions", { params: { path } })), { nouns: NOUNS });
  return (
    <div className="row" style={{ display: "block" }}>
      <Group justify="space-between" gap={8}>
        <div style={{ flex: "1 1 180px" }}>
          <b>{user.name}</b> <span className={user.disabled ? "warn" : "dim"}>{user.disabled ? words.disabled : words.active}</span>
          <div className="dim">{words.passwordSet} <Moment at={user.password_set_at} /></div>
        </div>
        <Group gap={6}>
          <Select size="xs" w={190} aria-label={`${words.role}: ${user.name}`} allowDeselect={false} data={ROLES} value={user.role} onChange={(role) => role && role !== user.role && change.mutate({ role: role as Role })} />
          <Button size="xs" variant="default" onClick={() => setSetting(true)}>{words.setPassword}</Button>
          <ConfirmButton size="xs" action={words.endAction} onConfirm={() => end.mutate(undefined)}>{words.end}</ConfirmButton>
          <ConfirmButton size="xs" action={(user.disabled ? words.letIn : words.keepOut).toLowerCase()} onConfirm={() => change.mutate({ disabled: !user.disabled })}>{user.disabled ? words.letIn : words.keepOut}</ConfirmButton>
        </Group>
      </Group>
      <Modal opened={setting} onClose={() => setSetting(false)} title={`${words.setPassword}: ${user.name}`}>{setting && <SetPassword name={user.name} done={() => setSetting(false)} />}</Modal>
    </div>
  );
}

function SetPassword({ name, done }: { name: string; done: () => void }): ReactNode {
  const [password, setPassword] = useState("");
  const wrong = useWrong(["password"]);
  const put = useWrite(() => take(api.PUT("/api/users/{name}/password", { params: { path: { name } }, body: { password } })), { nouns: NOUNS, onFields: wrong.set, done });
  return (
    <Stack component="form" gap={8} onSubmit={(event) => {
      event.preventDefault();
      put.mutate(undefined);
    }}>
      <PasswordInput label={words.password} autoComplete="new-password" data-autofocus value={password} error={wrong.of("password")} onChange={(event) => setPassword(event.currentTarget.value)} />
      <Group justify="flex-end"><Button variant="default" onClick={done}>{common.cancel}</Button><Button type="submit" loading={put.isPending}>{words.setPassword}</Button></Group>
    </Stack>
  );
}

function Add({ done }: { done: () => void }): ReactNode {
  const [body, setBody] = useState<{ name: string; role: Role; password: string }>({ name: "", role: "trader", password: "" });
  const wrong = useWrong(["name", "role", "password"]);
  const add = useWrite(() => take(api.POST("/api/users", { body })), { nouns: [...NOUNS, "session"], onFields: wrong.set, done });
  return (
    <Stack component="form" gap={8} onSubmit={(event) => {
      event.preventDefault();
      add.mutate(undefined);
    }}>
      <TextInput label={words.name} data-autofocus autoComplete="off" value={body.name} error={wrong.of("name")} onChange={(event) => setBody({ ...body, name: event.currentTarget.value })} />
      <Select label={words.role} allowDeselect={false} data={ROLES} value={body.role} error={wrong.of("role")} onChange={(role) => role && setBody({ ...body, role: role as Role })} />
      <PasswordInput label={words.password} autoComplete="new-password" value={body.password} error={wrong.of("password")} onChange={(event) => setBody({ ...body, password: event.currentTarget.value })} />
      {wrong.rest}
      <Group justify="flex-end"><Button variant="default" onClick={done}>{common.cancel}</Button><Button type="submit" loading={add.isPending}>{settings.add}</Button></Group>
    </Stack>
  );
}
