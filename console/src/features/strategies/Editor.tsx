import "./strategies.css";
import { Alert, Button, Group } from "@mantine/core";
import { useDebouncedValue } from "@mantine/hooks";
import { notifications } from "@mantine/notifications";
import { useQuery } from "@tanstack/react-query";
import { lazy, Suspense, useMemo, useState, type ReactNode } from "react";
import { parsed, placed, written } from "./json";
import { SchemaForm } from "./SchemaForm";
import { ConfirmButton } from "@/components/ConfirmButton";
import { StateOf } from "@/components/StateOf";
import { api, DeskError, take, type Schemas } from "@/lib/api";
import { useMay } from "@/lib/may";
import { tell, useWrite } from "@/lib/mutation";
import { common, strategies as words } from "@/lib/strings";

const CodeEditor = lazy(async () => ({ default: (await import("./CodeEditor")).CodeEditor }));
const Difference = lazy(async () => ({ default: (await import("./CodeEditor")).Difference }));

/** A text as the body of a request whose type is a document: it goes as it is, also where it is no JSON yet. */
const asIs = (text: string) => ({ body: {} as Schemas["Strategy"], bodySerializer: () => text });

export const useSource = (id: string) =>
  useQuery({ queryKey: ["strategies", id, "source"], queryFn: () => take(api.GET("/api/strategies/{strategy_id}/source", { params: { path: { strategy_id: id } } })) });

/** Form and JSON of one text; saved under the tag of what was read. */
export function Editor({ id }: { id: string }): ReactNode {
  const source = useSource(id);
  return <StateOf query={source} what={id} height={500}>{(read) => <Draft id={id} newest={read} />}</StateOf>;
}

function Draft({ id, newest }: { id: string; newest: Schemas["Source"] }): ReactNode {
  const [base, setBase] = useState(newest);
  const [text, setText] = useState(newest.text);
  const [conflict, setConflict] = useState<{ message: string; theirs: Schemas["Source"] } | null>(null);
  const { trade } = useMay();
  const changed = text !== base.text;
  if (!changed && !conflict && newest.etag !== base.etag) {
    setBase(newest);
    setText(newest.text);
  }
  const [asked] = useDebouncedValue(text, 400);
  const checked = useQuery({
    queryKey: ["strategies", "validate", asked],
    queryFn: () => take(api.POST("/api/strategies/validate", asIs(asked))),
    placeholderData: (before) => before,
    staleTime: 30_000,
  });
  const schema = useQuery({ queryKey: ["strategies", "schema"], queryFn: () => take(api.GET("/api/strategies/schema")), staleTime: Infinity });
  const facts = useQuery({ queryKey: ["strategies", "facts"], queryFn: () => take(api.GET("/api/strategies/facts")), staleTime: Infinity });
  const language = useQuery({ queryKey: ["strategies", "language"], queryFn: () => take(api.GET("/api/strategies/language")), staleTime: Infinity });
  const known = useMemo(() => [
    ...(facts.data?.facts ?? []).map((one) => ({ label: one.name, detail: one.formula, info: one.meaning })),
    ...[...(language.data?.series ?? []), ...(language.data?.functions ?? [])].map((one) => ({ label: one.name, detail: one.usage, info: one.meaning })),
  ], [facts.data, language.data]);
  const names = useMemo(() => (facts.data?.facts ?? []).map(({ name }) => name), [facts.data]);
  const errors = useMemo(() => Object.fromEntries([...(checked.data?.warnings ?? []), ...(checked.data?.problems ?? [])].map(({ pointer, reason }) => [pointer, reason])), [checked.data]);
  const document = parsed(text);
  const put = async (etag: string): Promise<Schemas["Source"]> => {
    await api.PUT("/api/strategies/{strategy_id}", { params: { path: { strategy_id: id }, header: { "If-Match": `"${etag}"` } }, ...asIs(text) });
    return take(api.GET("/api/strategies/{strategy_id}/source", { params: { path: { strategy_id: id } } }));
  };
  const save = useWrite(
    async (etag: string) => {
      try {
        return await put(etag);
      } catch (error) {
        if (!(error instanceof DeskError) || error.status !== 409) throw error;
        return { message: error.message, theirs: await take(api.GET("/api/strategies/{strategy_id}/source", { params: { path: { strategy_id: id } } })) };
      }
    },
    {
      nouns: ["strategies"],
      onFields: () => tell(save.error ?? new Error(words.invalid(1))),
      done: (out) => {
        if ("theirs" in out) { setConflict(out); return; }
        setConflict(null);
        setBase(out);
        setText(out.text);
        notifications.show({ message: words.saved(id) });
      },
    },
  );
  const read = (theirs: Schemas["Source"]): void => {
    setConflict(null);
    setBase(theirs);
    setText(theirs.text);
  };
  const problems = checked.data?.problems ?? [];
  const state = checked.isFetching || asked !== text ? words.checking : checked.error ? checked.error.message : problems.length > 0 ? words.invalid(problems.length) : words.valid;
  return (
    <div className="stack">
      {conflict && (
        <Alert color="yellow" role="alert" title={words.conflict}>
          <p>{conflict.message}</p>
          <div className="dim">{words.difference}</div>
          <Suspense><Difference label={words.difference} before={conflict.theirs.text} after={text} /></Suspense>
          <Group mt={8}>
            <Button size="xs" onClick={() => read(conflict.theirs)}>{words.theirs}</Button>
            <ConfirmButton size="xs" action={words.overWhat} onConfirm={() => save.mutate(conflict.theirs.etag)}>{words.over}</ConfirmButton>
          </Group>
        </Alert>
      )}
      <Group gap={8}>
        {trade && <Button size="xs" disabled={!changed || problems.length > 0} loading={save.isPending} onClick={() => save.mutate(base.etag)}>{words.save}</Button>}
        <Button size="xs" variant="default" disabled={!changed} onClick={() => setText(base.text)}>{words.revert}</Button>
        <span role="status" className={problems.length > 0 ? "danger" : "dim"}>{state}</span>
        {changed && <span className="warn">{words.changed}</span>}
        {checked.data?.needs && <span className="dim">{words.needs(checked.data.needs.map(({ timeframe, needed }) => `${needed} ${timeframe}`).join(", "))}</span>}
      </Group>
      {problems.map(({ pointer, reason }) => <div key={pointer + reason} className="danger"><code>{pointer || "/"}</code> {reason}</div>)}
      {checked.data?.warnings.map(({ pointer, reason }) => <div key={pointer + reason} className="warn"><code>{pointer}</code> {reason}</div>)}
      <div className="editor">
        <section className="card" aria-label={words.form}>
          {document === undefined ? <div className="dim">{words.notJson}</div> : (
            <StateOf query={schema} what={words.form} height={400}>
              {(root) => <SchemaForm root={root} schema={root} value={document} errors={errors} facts={names} change={(path, value) => setText(written(placed(document, path, value)))} />}
            </StateOf>
          )}
        </section>
        <Suspense fallback={<div className="dim">{common.loading}</div>}>
          <CodeEditor label={words.json} text={text} onText={setText} words={known} checked={asked === text ? checked.data : undefined} />
        </Suspense>
      </div>
    </div>
  );
}
