import { Button, Group, TextInput } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { useMemo, useState, type ReactNode } from "react";
import { leaves, partsOf, patchOf, useDescription, type Described, type Values } from "./schema";
import { SchemaForm } from "./SchemaForm";
import { CONFLICT, ConflictNote, Head, ReadOnlyNote, tagged, useLastChanges, useWrong, type Tagged } from "./shared";
import { StateOf } from "@/components/StateOf";
import { api, take } from "@/lib/api";
import { useMay } from "@/lib/may";
import { useWrite } from "@/lib/mutation";
import { settings as words } from "@/lib/strings";

const FILE = "config/risk.json";

/** The desk's own limits. The mode among them is changed where the danger is. */
export function Risk(): ReactNode {
  const query = useQuery({ queryKey: ["risk", "limits"], queryFn: () => tagged(api.GET("/api/risk/limits")) });
  const description = useDescription();
  const { data: rulebook } = useQuery({ queryKey: ["prop", "rulebook"], queryFn: () => take(api.GET("/api/prop/rulebook")) });
  return (
    <>
      <Head title={words.sections.risk} about={words.risk.about} />
      <ReadOnlyNote />
      {rulebook?.rulebook && <p className="warn">{words.risk.ruled(rulebook.rulebook.name)}</p>}
      <StateOf query={query} what={words.sections.risk} height={500}>
        {(limits) => (
          <StateOf query={description} what={words.sections.risk} height={500}>{(all) => <Form read={limits} all={all} />}</StateOf>
        )}
      </StateOf>
    </>
  );
}

function Form({ read, all }: { read: Tagged<unknown>; all: Described }): ReactNode {
  const { own } = useMay();
  const last = useLastChanges(FILE);
  const now = read.data as Values;
  const [base, setBase] = useState(read);
  const [values, setValues] = useState(now);
  const [reason, setReason] = useState("");
  const patch = patchOf(base.data as Values, values);
  const count = leaves(patch);
  if (base !== read && count === 0) {
    setBase(read);
    setValues(now);
  }
  const parts = useMemo(() => partsOf("RiskLimits", all, ["mode", "rulebook"]), [all]);
  const keys = useMemo(() => parts.flatMap(({ fields }) => fields.map(({ key }) => key)).sort((a, b) => b.length - a.length), [parts]);
  const wrong = useWrong(keys);
  const save = useWrite(
    (etag: string) => tagged(api.PATCH("/api/risk/limits", { params: { header: { "If-Match": etag } }, body: { changes: patch, reason } })),
    {
      nouns: ["risk", "settings", "control"],
      shown: CONFLICT,
      onFields: wrong.set,
      done: (made) => {
        wrong.set({});
        setReason("");
        setBase(made);
        setValues(made.data);
      },
    },
  );
  const conflict = save.error !== null && base.etag !== read.etag;
  return (
    <form onSubmit={(event) => {
      event.preventDefault();
      save.mutate(conflict ? read.etag : base.etag);
    }}>
      <SchemaForm parts={parts} values={values} change={setValues} readOnly={!own} wrong={wrong.of} last={last} />
      {wrong.rest}
      <ConflictNote error={save.error} />
      {own && (
        <Group className="savebar" gap={8}>
          <TextInput size="xs" placeholder={words.reason} aria-label={words.reason} title={words.reasonHint} value={reason} style={{ flex: 1, minWidth: 140 }} onChange={(event) => setReason(event.currentTarget.value)} />
          <span className={count > 0 ? "warn" : "dim"} role="status">{count > 0 ? words.unsaved(count) : save.isSuccess ? words.saved : ""}</span>
          <Button size="xs" variant="default" disabled={count === 0} onClick={() => {
            wrong.set({});
            setBase(read);
            setValues(now);
            save.reset();
          }}>{words.discard}</Button>
          <Button size="xs" type="submit" disabled={count === 0} loading={save.isPending}>{words.save}</Button>
        </Group>
      )}
    </form>
  );
}
