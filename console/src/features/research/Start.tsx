import { Alert, Button, Group, NumberInput, Progress, Select } from "@mantine/core";
import { useForm } from "@mantine/form";
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { useEffect, useState, type ReactNode } from "react";
import { strategies } from "./read";
import { ConfirmButton } from "@/components/ConfirmButton";
import { useFilters } from "@/lib/address";
import { api, idempotencyKey, take, type Schemas } from "@/lib/api";
import { useMay } from "@/lib/may";
import { useWrite } from "@/lib/mutation";
import { common, research as words } from "@/lib/strings";

const OVER = new Set(["success", "failure", "revoked"]);

/** Starts a run; its task stands in the address, so that a reload still shows it. */
export function Start(): ReactNode {
  const may = useMay();
  const [{ task }, change] = useFilters(["task"]);
  return (
    <section className="card" style={{ marginBottom: 12 }}>
      <h2>{words.start}</h2>
      {may.trade && <Form started={(id) => change({ task: id })} />}
      {task && <Running id={task} close={() => change({ task: null })} />}
    </section>
  );
}

type Values = { strategy_name: string; symbol: string; days: number; mode: Schemas["Mode"] | null } & Record<"balance" | "risk" | "commission_per_lot" | "slippage_points" | "spread_points", number | string>;
const MODES: Schemas["Mode"][] = ["observe", "supervised", "autonomous"];

/** What was filled in; the desk's own counts for the rest. Risk is typed in percent and asked as a fraction. */
function asked({ strategy_name, symbol, days, mode, risk, ...rest }: Values): Schemas["BacktestBody"] {
  const given = Object.fromEntries(Object.entries(rest).filter(([, value]) => value !== ""));
  return { strategy_name, symbol, days, ...(mode && { mode }), ...(risk !== "" && { risk: Number(risk) / 100 }), ...given };
}

function Form({ started }: { started: (task: string) => void }): ReactNode {
  const { data } = useQuery(strategies);
  const [key, setKey] = useState(idempotencyKey);
  const form = useForm<Values>({ initialValues: { strategy_name: "", symbol: "", days: 30, mode: null, balance: "", risk: "", commission_per_lot: "", slippage_points: "", spread_points: "" } });
  const start = useWrite((body: Schemas["BacktestBody"]) => take(api.POST("/api/celery/tasks/ai/backtest", { body, params: { header: { "Idempotency-Key": key } } })), {
    nouns: ["tasks"],
    done: ({ task_id }) => {
      setKey(idempotencyKey());
      started(task_id);
    },
    onFields: (fields) => {
      setKey(idempotencyKey());
      form.setErrors(fields);
    },
  });
  const chosen = data?.strategies.find(({ id }) => id === form.values.strategy_name);
  const symbols = chosen ? [...new Set([chosen.symbol, ...chosen.symbols])] : [];
  return (
    <form onSubmit={form.onSubmit((values) => start.mutate(asked(values)))}>
      <Group gap={8} align="flex-start" className="filters">
        <Select
          size="xs" w={240} label={words.strategy} required searchable data={(data?.strategies ?? []).map(({ id }) => id)} {...form.getInputProps("strategy_name")}
          onChange={(id) => {
            const found = data?.strategies.find((one) => one.id === id);
            form.setValues({ strategy_name: id ?? "", symbol: found?.symbol ?? "" });
          }}
        />
        <Select size="xs" w={130} label={words.symbol} required data={symbols} {...form.getInputProps("symbol")} />
        <NumberInput size="xs" w={150} label={words.days} required allowDecimal={false} {...form.getInputProps("days")} />
        <Select size="xs" w={140} label={words.mode} placeholder={words.ofDesk} clearable data={MODES} {...form.getInputProps("mode")} />
        <NumberInput size="xs" w={130} label={words.balance} placeholder={words.ofAccount} thousandSeparator="," {...form.getInputProps("balance")} />
        <NumberInput size="xs" w={120} label={words.riskPercent} placeholder={words.ofStrategy} step={0.25} decimalScale={3} {...form.getInputProps("risk")} />
        <NumberInput size="xs" w={150} label={words.commission} placeholder={words.learned} {...form.getInputProps("commission_per_lot")} />
        <NumberInput size="xs" w={130} label={words.slippage} placeholder={words.learned} {...form.getInputProps("slippage_points")} />
        <NumberInput size="xs" w={130} label={words.spread} placeholder={words.recorded} {...form.getInputProps("spread_points")} />
        <Button size="xs" mt={22} type="submit" loading={start.isPending}>{words.starting}</Button>
      </Group>
      <div className="dim" style={{ marginTop: 8 }}>{words.startHelp}</div>
    </form>
  );
}

function Running({ id, close }: { id: string; close: () => void }): ReactNode {
  const queries = useQueryClient();
  const { data, error } = useQuery({
    queryKey: ["tasks", "status", id],
    queryFn: () => take(api.GET("/api/celery/tasks/{task_id}/status", { params: { path: { task_id: id } } })),
    refetchInterval: ({ state }) => (state.data && OVER.has(state.data.status) ? false : 700),
  });
  const cancel = useWrite(() => take(api.POST("/api/tasks/{task_id}/cancel", { params: { path: { task_id: id } } })), { nouns: ["tasks"] });
  const status = data?.status;
  useEffect(() => {
    if (status === "success") void queries.invalidateQueries({ queryKey: ["backtests", "list"] });
  }, [status, queries]);
  if (error && !data) return <Alert color="red" mt="sm" withCloseButton onClose={close} closeButtonLabel={words.dismiss}>{error.message}</Alert>;
  if (!data) return null;
  const result = data.result?.["id"];
  if (status === "success")
    return (
      <Alert mt="sm" color="blue" role="status" title={words.finished} withCloseButton onClose={close} closeButtonLabel={words.dismiss}>
        {typeof result === "string" && <Link to={`/research/${result}`}>{words.openReport}</Link>}
      </Alert>
    );
  if (status === "failure" || status === "revoked")
    return (
      <Alert mt="sm" color="red" role="alert" title={`${words.failed} (${data.state})`} withCloseButton onClose={close} closeButtonLabel={words.dismiss}>
        {data.error ?? common.notKnown} <Link to={`/tasks/${id}`}>{words.task}</Link>
      </Alert>
    );
  const { progress } = data;
  return (
    <Group mt="sm" gap={10} role="status">
      <Progress value={progress ? (progress.done / Math.max(1, progress.total)) * 100 : 100} animated={!progress} w={240} aria-label={words.running(id)} />
      <span className="num dim">{progress ? words.bars(progress.done, progress.total) : data.state === "started" ? data.state : words.waitingFor}</span>
      <Link to={`/tasks/${id}`}>{words.task}</Link>
      <ConfirmButton size="compact-xs" action={words.cancelAction} loading={cancel.isPending} onConfirm={() => cancel.mutate(undefined)}>{words.cancelRun}</ConfirmButton>
    </Group>
  );
}
