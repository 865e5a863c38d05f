import { notifications } from "@mantine/notifications";
import { useNavigate } from "@tanstack/react-router";
import type { ReactNode } from "react";
import { ENDED, type Job } from "./parts";
import { ConfirmButton } from "@/components/ConfirmButton";
import { api, take } from "@/lib/api";
import { useMay } from "@/lib/may";
import { useWrite } from "@/lib/mutation";
import { tasks as words } from "@/lib/strings";

const NOUNS = ["tasks", "queues", "dead-letters", "celery", "status"];
const path = (id: string) => ({ params: { path: { task_id: id } } });

/** Cancel what has not ended, repeat what has; what is dead is requeued. `follow`: go to the new job. */
export function Actions({ job, follow = false }: { job: Job; follow?: boolean }): ReactNode {
  const may = useMay();
  const navigate = useNavigate();
  const said = (message: string) => (out: { task_id?: string }): void => {
    notifications.show({ message });
    if (follow && out.task_id) void navigate({ to: "/tasks/$id", params: { id: out.task_id } });
  };
  const cancel = useWrite(() => take(api.POST("/api/tasks/{task_id}/cancel", path(job.id))), { nouns: NOUNS, done: () => notifications.show({ message: words.cancelled }) });
  const retry = useWrite(() => take(api.POST("/api/tasks/{task_id}/retry", path(job.id))), { nouns: NOUNS, done: said(words.retried) });
  const requeue = useWrite(() => take(api.POST("/api/dead-letters/{task_id}/requeue", path(job.id))), { nouns: NOUNS, done: said(words.requeued) });
  if (!may.trade) return null;
  const look = { size: "compact-xs" } as const;
  if (job.state === "dead") return <ConfirmButton key="requeue" {...look} action={words.requeueDo} loading={requeue.isPending} onConfirm={() => requeue.mutate(undefined)}>{words.requeue}</ConfirmButton>;
  if (ENDED.includes(job.state)) return <ConfirmButton key="retry" {...look} action={words.retryDo} loading={retry.isPending} onConfirm={() => retry.mutate(undefined)}>{words.retry}</ConfirmButton>;
  if (job.cancel_requested) return <span className="warn">{words.stopAsked}</span>;
  return <ConfirmButton key="cancel" {...look} action={words.cancelDo} loading={cancel.isPending} onConfirm={() => cancel.mutate(undefined)}>{words.cancel}</ConfirmButton>;
}
