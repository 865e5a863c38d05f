import { Button, Group, NumberInput, Progress, TextInput } from "@mantine/core";
import { notifications } from "@mantine/notifications";
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { useEffect, useState, type ReactNode } from "react";
import { Money, RelativeTime } from "@/components/Numbers";
import { StateOf } from "@/components/StateOf";
import { useFilters } from "@/lib/address";
import { api, idempotencyKey, take } from "@/lib/api";
import { asText, inR, percent } from "@/lib/format";
import { useMay } from "@/lib/may";
import { useWrite } from "@/lib/mutation";
import { common, strategies as words } from "@/lib/strings";

const ENDED = ["succeeded", "failed", "refused", "cancelled", "expired", "lost", "dead", "missed"];

/** Starts a backtest of the strategy, and lists those that are kept. */
export function Backtests({ id, symbol }: { id: string; symbol: string | null }): ReactNode {
  const [{ task }, change] = useFilters(["task"]);
  const { trade } = useMay();
  const [days, setDays] = useState<number>(30);
  const [other, setOther] = useState<string | null>(null);
  const [errors, setErrors] = useState<Record<string, string>>({});
  const start = useWrite(
    (wanted: { days: number; symbol: string; key: string }) =>
      take(api.POST("/api/celery/tasks/ai/backtest", { params: { header: { "Idempotency-Key": wanted.key } }, body: { strategy_name: id, symbol: wanted.symbol, days: wanted.days } })),
    {
      nouns: ["tasks"],
      onFields: setErrors,
      done: ({ task_id }) => {
        setErrors({});
        notifications.show({ message: words.started });
        change({ task: task_id });
      },
    },
  );
  const on = other ?? symbol ?? "";
  return (
    <div className="stack">
      {trade && (
        <section className="card">
          <Group align="start" gap={8}>
            <TextInput size="xs" label={words.symbol} value={on} error={errors["symbol"]} onChange={({ currentTarget }) => setOther(currentTarget.value)} />
            <NumberInput size="xs" label={words.days} value={days} error={errors["days"]} clampBehavior="none" allowDecimal={false} onChange={(value) => setDays(Number(value))} />
            <Button size="xs" mt={22} loading={start.isPending} onClick={() => start.mutate({ days, symbol: on, key: idempotencyKey() })}>{words.start}</Button>
          </Group>
          {task && <Running task={task} />}
        </section>
      )}
      <section className="card"><h2>{words.last}</h2><Kept id={id} /></section>
    </div>
  );
}

function Running({ task }: { task: string }): ReactNode {
  const queries = useQueryClient();
  const query = useQuery({
    queryKey: ["tasks", task],
    queryFn: () => take(api.GET("/api/tasks/{task_id}", { params: { path: { task_id: task } } })),
    refetchInterval: ({ state }) => (state.data && ENDED.includes(state.data.state) ? false : 1000),
  });
  const state = query.data?.state;
  useEffect(() => {
    if (state === "succeeded") void queries.invalidateQueries({ queryKey: ["backtests"] });
  }, [state, queries]);
  return (
    <StateOf query={query} what={words.running} height={40}>
      {(job) => (
        <div style={{ marginTop: 8 }} role="status">
          {words.running} <Link to="/tasks/$id" params={{ id: task }}>{task.slice(0, 8)}</Link>: <b className={job.state === "succeeded" ? "up" : ENDED.includes(job.state) ? "danger" : ""}>{job.state}</b>
          {job.progress && <><Progress mt={4} value={(100 * job.progress.done) / Math.max(1, job.progress.total)} aria-label={words.running} /><span className="dim num">{words.progress(job.progress.done, job.progress.total)}</span></>}
          {job.error && <div className="danger">{job.error.message}</div>}
        </div>
      )}
    </StateOf>
  );
}

function Kept({ id }: { id: string }): ReactNode {
  const query = useQuery({ queryKey: ["backtests", "of", id], queryFn: () => take(api.GET("/api/backtests", { params: { query: { strategy: id, limit: 10 } } })) });
  return (
    <StateOf query={query} what={words.last} isEmpty={({ items }) => items.length === 0} empty={words.noBacktests}>
      {({ items }) => items.map((one) => (
        <div key={one.id} className="row" style={{ flexWrap: "wrap" }}>
          <Link to="/research/$id" params={{ id: one.id }}>{one.symbols.join(", ")} {one.timeframe}</Link>
          <span className="dim num">{one.period.from.slice(0, 10)} – {one.period.to.slice(0, 10)}</span>
          <span className="what num">
            {one.metrics.trades} {words.figures.trades.toLowerCase()} · {words.figures.profit} <Money value={one.metrics.net_profit} currency={asText(one.account["currency"] ?? "")} />
            {" · "}{words.figures.dd} {percent(one.metrics.max_drawdown_pct === null ? null : one.metrics.max_drawdown_pct / 100)} · {words.figures.pf} {one.metrics.profit_factor?.toFixed(2) ?? common.unknown} · {words.figures.r} {inR(one.metrics.expectancy_r)}
          </span>
          <span className={one.stale.length > 0 ? "warn" : "dim"}>{one.stale.length > 0 ? words.stale(one.stale.join(", ")) : words.fresh}</span>
          <RelativeTime at={one.computed_at} />
        </div>
      ))}
    </StateOf>
  );
}
