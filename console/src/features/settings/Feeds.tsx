import { Button, Group, Modal, NumberInput, Stack, Switch, TagsInput, TextInput } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { useState, type ReactNode } from "react";
import { CONFLICT, ConflictNote, Head, ReadOnlyNote, tagged, useWrong } from "./shared";
import { Tried } from "./Tried";
import { ConfirmButton } from "@/components/ConfirmButton";
import { RelativeTime } from "@/components/Numbers";
import { StateOf } from "@/components/StateOf";
import { api, take, type Schemas } from "@/lib/api";
import { useMay } from "@/lib/may";
import { useWrite } from "@/lib/mutation";
import { common, settings } from "@/lib/strings";

const words = settings.feeds;
const NOUNS = ["feeds", "news", "settings"];
type Feed = Schemas["FeedRow"];

/** The news feeds, with their state from the last collection. */
export function Feeds(): ReactNode {
  const { own } = useMay();
  const query = useQuery({ queryKey: ["feeds"], queryFn: () => tagged(api.GET("/api/feeds")), refetchInterval: 30_000 });
  const [edited, setEdited] = useState<Feed | "new" | null>(null);
  return (
    <>
      <Head title={settings.sections.feeds} about={words.about}>{own && <Button size="xs" onClick={() => setEdited("new")}>{words.add}</Button>}</Head>
      <ReadOnlyNote />
      <StateOf query={query} what={settings.sections.feeds} height={300} isEmpty={({ data }) => data.feeds.length === 0 && data.problems.length === 0} empty={words.none}>
        {({ data, etag }) => (
          <>
            {data.problems.length > 0 && <div className="warn">{words.problems}: {data.problems.join("; ")}</div>}
            <section className="card">{data.feeds.map((feed) => <One key={feed.id} feed={feed} etag={etag} edit={() => setEdited(feed)} />)}</section>
            <Modal opened={edited !== null} onClose={() => setEdited(null)} title={edited === "new" ? words.add : words.edit}>
              {edited !== null && <Form feed={edited === "new" ? null : edited} etag={etag} done={() => setEdited(null)} />}
            </Modal>
          </>
        )}
      </StateOf>
    </>
  );
}

function One({ feed, etag, edit }: { feed: Feed; etag: string; edit: () => void }): ReactNode {
  const { own } = useMay();
  const path = { feed_id: feed.id };
  const header = { "If-Match": etag };
  const turn = useWrite((enabled: boolean) => take(api.PATCH("/api/feeds/{feed_id}", { params: { path, header }, body: { enabled } })), { nouns: NOUNS, shown: CONFLICT });
  const remove = useWrite(() => take(api.DELETE("/api/feeds/{feed_id}", { params: { path, header } })), { nouns: NOUNS, shown: CONFLICT });
  const test = useWrite(() => take(api.POST("/api/feeds/{feed_id}/test", { params: { path } })), { nouns: [] });
  const bad = feed.status === "failed";
  return (
    <div className="row" style={{ display: "block" }}>
      <Group justify="space-between" gap={8}>
        <div style={{ minWidth: 0, flex: "1 1 260px" }}>
          <b>{feed.name}</b> <span className={bad ? "danger" : "dim"}>{words.status[feed.status] ?? feed.status}{bad && feed.failures > 1 ? ` (${feed.failures})` : ""}</span>
          <div className="dim" style={{ overflowWrap: "anywhere" }}>{feed.url}</div>
        </div>
        <span className="dim">{words.answered} <RelativeTime at={feed.answered_at} wall /></span>
        {own && (
          <Group gap={6}>
            <Switch size="xs" checked={feed.enabled} aria-label={`${words.enabled}: ${feed.name}`} disabled={turn.isPending} onChange={(event) => turn.mutate(event.currentTarget.checked)} />
            <Button size="compact-xs" variant="default" loading={test.isPending} onClick={() => test.mutate(undefined)}>{words.test}</Button>
            <Button size="compact-xs" variant="default" onClick={edit}>{settings.edit}</Button>
            <ConfirmButton size="compact-xs" action={words.removeAction} onConfirm={() => remove.mutate(undefined)}>{settings.remove}</ConfirmButton>
          </Group>
        )}
      </Group>
      {bad && feed.reason && <div className="dim" style={{ overflowWrap: "anywhere" }}>{feed.reason}</div>}
      <ConflictNote error={turn.error ?? remove.error} />
      {test.data && <Tried tried={test.data} />}
    </div>
  );
}

function Form({ feed, etag, done }: { feed: Feed | null; etag: string; done: () => void }): ReactNode {
  const [body, setBody] = useState({
    name: feed?.name ?? "", url: feed?.url ?? "", category: feed?.category ?? "", currencies: feed?.currencies ?? [], timeout: feed?.timeout ?? 15, max_bytes: feed?.max_bytes ?? 10_000_000,
  });
  const wrong = useWrong(["name", "url", "category", "currencies", "timeout", "max_bytes"]);
  const header = { "If-Match": etag };
  const save = useWrite(
    () => take(feed ? api.PATCH("/api/feeds/{feed_id}", { params: { path: { feed_id: feed.id }, header }, body }) : api.POST("/api/feeds", { params: { header }, body: { ...body, enabled: true } })),
    { nouns: NOUNS, shown: CONFLICT, onFields: wrong.set, done },
  );
  return (
    <Stack component="form" gap={8} onSubmit={(event) => {
      event.preventDefault();
      save.mutate(undefined);
    }}>
      <TextInput label={words.name} data-autofocus required value={body.name} error={wrong.of("name")} onChange={(event) => setBody({ ...body, name: event.currentTarget.value })} />
      <TextInput label={words.url} required value={body.url} error={wrong.of("url")} onChange={(event) => setBody({ ...body, url: event.currentTarget.value })} />
      <TextInput label={words.category} value={body.category} error={wrong.of("category")} onChange={(event) => setBody({ ...body, category: event.currentTarget.value })} />
      <TagsInput label={words.currencies} value={body.currencies} error={wrong.of("currencies")} onChange={(currencies) => setBody({ ...body, currencies })} />
      <Group grow>
        <NumberInput label={words.timeout} hideControls clampBehavior="none" value={body.timeout} error={wrong.of("timeout")} onChange={(value) => setBody({ ...body, timeout: Number(value) })} />
        <NumberInput label={words.bytes} hideControls clampBehavior="none" thousandSeparator="," value={body.max_bytes} error={wrong.of("max_bytes")} onChange={(value) => setBody({ ...body, max_bytes: Number(value) })} />
      </Group>
      {wrong.rest}
      <ConflictNote error={save.error} />
      <Group justify="flex-end"><Button variant="default" onClick={done}>{common.cancel}</Button><Button type="submit" loading={save.isPending}>{settings.save}</Button></Group>
    </Stack>
  );
}
