import { Alert, Button, Drawer, Group, NumberInput, SegmentedControl, Select, Skeleton, Stack, Switch, TextInput } from "@mantine/core";
import { notifications } from "@mantine/notifications";
import { useQuery, type UseQueryResult } from "@tanstack/react-query";
import { useState, type ReactNode } from "react";
import { ConfirmButton } from "@/components/ConfirmButton";
import { StateOf } from "@/components/StateOf";
import { api, DeskError, take, type Schemas } from "@/lib/api";
import { useWrite } from "@/lib/mutation";
import { tasks as words } from "@/lib/strings";

type Timing = Schemas["Timing"];
type Change = Schemas["TimingChange"];
const CRON = ["minute", "hour", "day_of_month", "month_of_year", "day_of_week"] as const;
const NOUNS = ["schedules"];

/** When a schedule is due, edited; the file's tag goes with it, so that nobody's change is lost unseen. */
export function EditSchedule({ name, close }: { name: string; close: () => void }): ReactNode {
  const query = useQuery({
    queryKey: ["schedule", name],
    queryFn: async () => {
      const { data, response } = await api.GET("/api/schedules/{name}", { params: { path: { name } } });
      return { definition: data as Schemas["Definition"], tag: response.headers.get("ETag") ?? "*" };
    },
    staleTime: Infinity,
    gcTime: 0,
  });
  return (
    <Drawer opened onClose={close} position="right" size={480} title={words.editTitle(name)}>
      {query.isFetching ? <Skeleton height={320} /> : <Loaded query={query} name={name} close={close} />}
    </Drawer>
  );
}

type Read = { definition: Schemas["Definition"]; tag: string };

function Loaded({ query, name, close }: { query: UseQueryResult<Read>; name: string; close: () => void }): ReactNode {
  return <StateOf query={query} what={words.editTitle(name)}>{({ definition, tag }) => <Form key={tag} name={name} now={definition.now} usual={definition.default} tag={tag} close={close} />}</StateOf>;
}

const told = ({ crontab, every, offset }: Timing): string =>
  crontab ? Object.entries(crontab).map(([key, value]) => `${key}=${value}`).join(", ") : words.everyText(every ?? 0, offset ?? 0);

function Form({ name, now, usual, tag, close }: { name: string; now: Timing; usual: Timing | null; tag: string; close: () => void }): ReactNode {
  const [cron, setCron] = useState(now.crontab !== null);
  const [fields, setFields] = useState<Record<string, string>>(now.crontab ?? {});
  const [every, setEvery] = useState<string | number>(now.every ?? "");
  const [offset, setOffset] = useState<string | number>(now.offset ?? 0);
  const [enabled, setEnabled] = useState(now.enabled);
  const [overlap, setOverlap] = useState(now.overlap);
  const [catchUp, setCatchUp] = useState<string | number>(now.catch_up ?? "");
  const [atStart, setAtStart] = useState(now.at_start);
  const [wrong, setWrong] = useState<Record<string, string>>({});
  const at = { params: { path: { name }, header: { "If-Match": tag } } };
  const done = (): void => {
    notifications.show({ message: words.saved(name) });
    close();
  };
  const refused = (error: unknown): never => {
    if (error instanceof DeskError && typeof error.details["key"] === "string") throw new DeskError(error.status, error.code, error.message, { fields: { [error.details["key"]]: error.message } });
    throw error;
  };
  const save = useWrite((body: Change) => take(api.PATCH("/api/schedules/{name}", { ...at, body })).catch(refused), { nouns: NOUNS, done, onFields: setWrong });
  const reset = useWrite(() => take(api.POST("/api/schedules/{name}/reset", at)), { nouns: NOUNS, done });
  const submit = (): void => {
    setWrong({});
    const filled = Object.fromEntries(CRON.flatMap((key) => (fields[key]?.trim() ? [[key, fields[key].trim()]] : [])));
    const number = (value: string | number): number | null => (value === "" ? null : Number(value));
    const when: Change = cron ? { crontab: filled } : { every: number(every), offset: number(offset) };
    save.mutate({ ...when, enabled, overlap, catch_up: number(catchUp), at_start: atStart });
  };
  const beside = (key: string): string | undefined => wrong[key];
  const shown = ["every", "offset", "crontab", "overlap", "catch_up", ...CRON.map((key) => `crontab.${key}`)];
  const rest = Object.entries(wrong).filter(([key]) => !shown.includes(key));
  return (
    <form
      onSubmit={(event) => {
        event.preventDefault();
        submit();
      }}
    >
      <Stack gap={10}>
        <SegmentedControl size="xs" aria-label={words.kindOfTime} value={cron ? "crontab" : "every"} onChange={(value) => setCron(value === "crontab")} data={[{ value: "every", label: words.byEvery }, { value: "crontab", label: words.byCrontab }]} />
        {cron ? (
          <>
            <div className="cronfields">
              {CRON.map((key) => (
                <TextInput key={key} size="xs" label={words.cron[key]} placeholder="*" value={fields[key] ?? ""} error={beside(`crontab.${key}`)} onChange={(event) => setFields({ ...fields, [key]: event.currentTarget.value })} />
              ))}
            </div>
            {beside("crontab") && <div className="danger" role="alert">{beside("crontab")}</div>}
          </>
        ) : (
          <Group grow align="start">
            <NumberInput size="xs" label={words.every} value={every} onChange={setEvery} allowDecimal={false} error={beside("every")} />
            <NumberInput size="xs" label={words.offset} value={offset} onChange={setOffset} allowDecimal={false} error={beside("offset")} />
          </Group>
        )}
        <Select size="xs" label={words.overlap} value={overlap} allowDeselect={false} onChange={(value) => setOverlap(value ?? overlap)} data={Object.entries(words.overlaps).map(([value, label]) => ({ value, label }))} error={beside("overlap")} />
        <NumberInput size="xs" label={words.catchUp} description={words.catchUpTip} value={catchUp} onChange={setCatchUp} allowDecimal={false} error={beside("catch_up")} />
        <Switch label={words.enabled} checked={enabled} onChange={(event) => setEnabled(event.currentTarget.checked)} />
        <Switch label={words.atStart} checked={atStart} onChange={(event) => setAtStart(event.currentTarget.checked)} />
        {rest.map(([key, reason]) => <Alert key={key} color="red" role="alert">{reason}</Alert>)}
        {usual && <div className="dim">{told(usual) === told(now) ? words.isDefault : words.defaultIs(told(usual))}</div>}
        <Group justify="space-between">
          <Button type="submit" size="xs" loading={save.isPending}>{words.save}</Button>
          {usual && <ConfirmButton size="xs" action={words.resetDo} loading={reset.isPending} onConfirm={() => reset.mutate(undefined)}>{words.reset}</ConfirmButton>}
        </Group>
      </Stack>
    </form>
  );
}
