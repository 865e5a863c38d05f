import { Button, Checkbox, FileButton, Group, Modal, NumberInput, Progress, Select, Stack, TextInput } from "@mantine/core";
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { useRef, useState, type ReactNode } from "react";
import { Imports, Series } from "./HistoryKept";
import { Head, useWrong } from "./shared";
import { upload } from "./upload";
import { ConfirmButton } from "@/components/ConfirmButton";
import { RelativeTime } from "@/components/Numbers";
import { StateOf } from "@/components/StateOf";
import { api, DeskError, take, type Schemas } from "@/lib/api";
import { percent } from "@/lib/format";
import { useMay } from "@/lib/may";
import { tell, useWrite } from "@/lib/mutation";
import { common, settings } from "@/lib/strings";

const words = settings.history;
const NOUNS = ["history", "tasks"];
const FRAMES = ["M1", "M5", "M15", "M30", "H1", "H4", "D1", "W1"] as const;

/** Bars of the past: uploading and importing them, fetching them, what they are worth. */
export function History(): ReactNode {
  const { trade } = useMay();
  const query = useQuery({
    queryKey: ["history"],
    queryFn: () => take(api.GET("/api/history")),
    refetchInterval: (state) => (state.state.data?.jobs.some(({ state: now }) => live(now)) ? 1000 : 15_000),
  });
  return (
    <StateOf query={query} what={settings.sections.history} height={400}>
      {(page) => (
        <>
          <Head title={settings.sections.history} about={words.about(page.folder)} />
          {trade && <section className="card" style={{ marginBottom: 12 }}><h2>{words.upload}</h2><Upload /></section>}
          <section className="card" style={{ marginBottom: 12 }}>
            <h2>{words.waiting}</h2>
            {page.incoming.length === 0 && <div className="dim">{words.noWaiting}</div>}
            {page.incoming.map((one) => <Waiting key={one.name} one={one} />)}
          </section>
          {trade && <section className="card" style={{ marginBottom: 12 }}><h2>{words.fetch}</h2><Fetch /></section>}
          <section className="card" style={{ marginBottom: 12 }}>
            <h2>{words.jobs}</h2>
            {page.jobs.length === 0 && <div className="dim">{words.noJobs}</div>}
            {page.jobs.map((job) => <Job key={job.id} job={job} />)}
          </section>
          <Imports reports={page.reports} />
          <Series series={page.series} />
        </>
      )}
    </StateOf>
  );
}

const live = (state: string): boolean => ["queued", "sent", "started", "retrying"].includes(state);

function Upload(): ReactNode {
  const queries = useQueryClient();
  const [sending, setSending] = useState<{ name: string; share: number } | null>(null);
  const [done, setDone] = useState("");
  const stop = useRef<AbortController | null>(null);
  const send = async (file: File | null): Promise<void> => {
    if (!file) return;
    const control = new AbortController();
    stop.current = control;
    setDone("");
    setSending({ name: file.name, share: 0 });
    try {
      const kept = await upload(file, (share) => setSending({ name: file.name, share }), control.signal);
      setDone(words.uploaded(kept.name));
    } catch (error) {
      if (!(error instanceof DeskError && error.code === "stopped")) tell(error);
    } finally {
      setSending(null);
      void queries.invalidateQueries({ queryKey: ["history"] });
    }
  };
  return sending ? (
    <Group gap={10}>
      <div style={{ flex: 1 }}>
        <div>{words.uploading(sending.name)} <span className="num">{percent(sending.share, 0)}</span></div>
        <Progress value={sending.share * 100} aria-label={words.uploading(sending.name)} />
      </div>
      <Button size="xs" variant="default" onClick={() => stop.current?.abort()}>{words.cancel}</Button>
    </Group>
  ) : (
    <Group gap={10}>
      <FileButton onChange={(file) => void send(file)}>{(props) => <Button size="xs" variant="default" {...props}>{words.choose}</Button>}</FileButton>
      {done && <span role="status">{done}</span>}
    </Group>
  );
}

function Waiting({ one }: { one: Schemas["Incoming"] }): ReactNode {
  const { trade } = useMay();
  const [open, setOpen] = useState(false);
  return (
    <div className="row">
      <span className="what"><b>{one.name}</b> <span className="dim num">{one.size.toLocaleString("en-US")} B</span></span>
      <RelativeTime at={one.modified_at} wall />
      {trade && <Button size="compact-xs" variant="default" onClick={() => setOpen(true)}>{words.import}</Button>}
      <Modal opened={open} onClose={() => setOpen(false)} title={`${words.import}: ${one.name}`}>{open && <Import file={one.name} done={() => setOpen(false)} />}</Modal>
    </div>
  );
}

function Import({ file, done }: { file: string; done: () => void }): ReactNode {
  const [body, setBody] = useState<{ symbol: string; tz: string; digits: number | null; skip_bad: boolean; replace: boolean; dry_run: boolean }>({ symbol: "", tz: "", digits: null, skip_bad: false, replace: false, dry_run: true });
  const wrong = useWrong(["symbol", "tz", "digits", "skip_bad", "replace", "dry_run"]);
  const start = useWrite(() => take(api.POST("/api/history/imports", { body: { ...body, file, symbol: body.symbol || null, tz: body.tz || null } })), { nouns: NOUNS, onFields: wrong.set, done });
  const box = (name: "skip_bad" | "replace" | "dry_run", label: string): ReactNode => <Checkbox label={label} checked={body[name]} onChange={(event) => setBody({ ...body, [name]: event.currentTarget.checked })} />;
  return (
    <Stack component="form" gap={8} onSubmit={(event) => {
      event.preventDefault();
      start.mutate(undefined);
    }}>
      <TextInput label={words.symbol} description={words.symbolHint} value={body.symbol} error={wrong.of("symbol")} onChange={(event) => setBody({ ...body, symbol: event.currentTarget.value })} />
      <TextInput label={words.tz} description={words.tzHint} value={body.tz} error={wrong.of("tz")} onChange={(event) => setBody({ ...body, tz: event.currentTarget.value })} />
      <NumberInput label={words.digits} hideControls clampBehavior="none" value={body.digits ?? ""} error={wrong.of("digits")} onChange={(value) => setBody({ ...body, digits: value === "" ? null : Number(value) })} />
      {box("skip_bad", words.skipBad)}{box("replace", words.replace)}{box("dry_run", words.dry)}
      {wrong.rest}
      <Group justify="flex-end"><Button variant="default" onClick={done}>{common.cancel}</Button><Button type="submit" loading={start.isPending}>{words.start}</Button></Group>
    </Stack>
  );
}

function Fetch(): ReactNode {
  const [body, setBody] = useState<{ symbol: string; timeframe: (typeof FRAMES)[number]; since: string }>({ symbol: "", timeframe: "H1", since: "" });
  const { data: symbols } = useQuery({ queryKey: ["symbols", "names"], queryFn: () => take(api.GET("/api/symbols")) });
  const wrong = useWrong(["symbol", "timeframe", "since"]);
  const start = useWrite(() => take(api.POST("/api/history/fetches", { body: { ...body, since: `${body.since}T00:00:00Z` } })), { nouns: NOUNS, onFields: wrong.set, done: () => wrong.set({}) });
  return (
    <Group component="form" gap={8} align="end" onSubmit={(event) => {
      event.preventDefault();
      start.mutate(undefined);
    }}>
      <Select size="xs" w={130} label={words.symbol} searchable data={symbols?.symbols.map(({ canonical }) => canonical) ?? []} value={body.symbol || null} error={wrong.of("symbol")} onChange={(symbol) => setBody({ ...body, symbol: symbol ?? "" })} />
      <Select size="xs" w={90} label={words.timeframe} allowDeselect={false} data={FRAMES} value={body.timeframe} error={wrong.of("timeframe")} onChange={(timeframe) => timeframe && setBody({ ...body, timeframe: timeframe as (typeof FRAMES)[number] })} />
      <TextInput size="xs" type="date" label={words.since} required value={body.since} error={wrong.of("since")} onChange={(event) => setBody({ ...body, since: event.currentTarget.value })} />
      <Button size="xs" type="submit" variant="default" disabled={!body.symbol} loading={start.isPending}>{words.fetchStart}</Button>
    </Group>
  );
}

function Job({ job }: { job: Schemas["JobView"] }): ReactNode {
  const { trade } = useMay();
  const cancel = useWrite(() => take(api.POST("/api/tasks/{task_id}/cancel", { params: { path: { task_id: job.id } } })), { nouns: NOUNS });
  const { progress, error } = job;
  const bad = error != null;
  return (
    <div className="row" style={{ flexWrap: "wrap" }}>
      <span className="what">
        <Link to={`/tasks/${job.id}`}>{job.task.split(".").at(-1)?.replaceAll("_", " ")}</Link> <span className="dim">{Object.entries(job.kwargs).map(([key, value]) => `${key} ${String(value)}`).join(", ")}</span>
        {bad && <div className="danger">{error.message}</div>}
        {progress && live(job.state) && <Progress mt={4} value={progress.total > 0 ? (100 * progress.done) / progress.total : 0} aria-label={`${words.progress} ${progress.done} / ${progress.total}`} />}
      </span>
      <span className={bad ? "danger" : live(job.state) ? "warn" : "dim"}>{job.state}</span>
      <RelativeTime at={job.queued_at} wall />
      {trade && live(job.state) && <ConfirmButton size="compact-xs" action={words.stopAction} onConfirm={() => cancel.mutate(undefined)}>{words.stop}</ConfirmButton>}
    </div>
  );
}
