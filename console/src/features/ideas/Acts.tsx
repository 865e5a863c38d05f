import { Alert, Button, Chip, Group as Row, Modal, NumberInput, Select, Stack, Text, Textarea } from "@mantine/core";
import { notifications } from "@mantine/notifications";
import { useEffect, useState, type ReactNode } from "react";
import { named, waits, withdrawable, type Idea, type Overrides } from "./model";
import { ratio } from "./List";
import { api, take, type Schemas } from "@/lib/api";
import { lots, money, typed } from "@/lib/format";
import { useWrite } from "@/lib/mutation";
import { common, ideas as words } from "@/lib/strings";

type Which = "approve" | "reject" | "withdraw" | "resolve";
type Props = { idea: Idea; overrides: Overrides; preview: Schemas["Preview"] | null; currency: string; may: boolean; onDone: () => void; clear: () => void };
const NOUNS = ["trade-ideas", "orders", "positions", "account"];
const BECAME = ["open", "placed", "closed", "cancelled", "expired", "failed"] as const;

/** What may be done with an idea, by button and by key; whatever costs money asks first. */
export function Acts(props: Props): ReactNode {
  const { idea, overrides, may, clear } = props;
  const [open, setOpen] = useState<Which | null>(null);
  const path = { idea_id: idea.id };
  const changed = Object.keys(overrides).length > 0;
  const acts = may && waits(idea);
  const save = useWrite(() => take(api.PATCH("/api/trade-ideas/{idea_id}", { params: { path }, body: { ...overrides, reason: "" } })), {
    nouns: NOUNS,
    done: () => {
      clear();
      notifications.show({ message: words.saved });
    },
  });
  useEffect(() => {
    const pressed = (event: KeyboardEvent): void => {
      const target = event.target as HTMLElement | null;
      if (!acts || event.ctrlKey || event.metaKey || event.altKey || document.querySelector('[role="dialog"]')) return;
      if (target && (target.isContentEditable || /^(INPUT|TEXTAREA|SELECT)$/.test(target.tagName))) return;
      if (event.key === "a" || event.key === "r") {
        event.preventDefault();
        setOpen(event.key === "a" ? "approve" : "reject");
      }
    };
    document.addEventListener("keydown", pressed);
    return () => document.removeEventListener("keydown", pressed);
  }, [acts]);
  const close = (): void => setOpen(null);
  if (!may) return <span className="dim">{words.mayNot}</span>;
  return (
    <div className="ideas-acts">
      {acts && (
        <>
          <Button size="compact-md" onClick={() => setOpen("approve")}>{words.approve} <kbd aria-hidden>a</kbd></Button>
          <Button size="compact-md" variant="default" onClick={() => setOpen("reject")}>{words.reject} <kbd aria-hidden>r</kbd></Button>
          {changed && <Button size="compact-md" variant="light" loading={save.isPending} onClick={() => save.mutate(undefined)}>{words.save}</Button>}
          {changed && <Button size="compact-md" variant="subtle" color="gray" onClick={clear}>{words.reset}</Button>}
        </>
      )}
      {withdrawable(idea) && <Button size="compact-md" variant="subtle" color="gray" onClick={() => setOpen("withdraw")}>{idea.status === "placed" ? words.cancelOrder : words.cancelIdea}</Button>}
      {idea.status === "unknown" && <Button size="compact-md" color="yellow" onClick={() => setOpen("resolve")}>{words.resolve}</Button>}
      <Modal opened={open === "approve"} onClose={close} title={words.approveTitle(named(idea))}>{open === "approve" && <Approve {...props} close={close} />}</Modal>
      <Modal opened={open === "reject"} onClose={close} title={words.rejectTitle(named(idea))}>{open === "reject" && <Reject {...props} close={close} />}</Modal>
      <Modal opened={open === "withdraw"} onClose={close} title={words.withdrawTitle(named(idea))}>{open === "withdraw" && <Withdraw {...props} close={close} />}</Modal>
      <Modal opened={open === "resolve"} onClose={close} title={words.resolveTitle}>{open === "resolve" && <Resolve {...props} close={close} />}</Modal>
    </div>
  );
}

type Inside = Props & { close: () => void };

function Approve({ idea, overrides, preview, currency, clear, close }: Inside): ReactNode {
  const [reason, setReason] = useState("");
  const [fields, setFields] = useState<Record<string, string>>({});
  const path = { idea_id: idea.id };
  const approve = useWrite(() => take(api.POST("/api/trade-ideas/{idea_id}/approve", { params: { path }, body: { ...overrides, reason } })), {
    nouns: NOUNS,
    onFields: setFields,
    done: (made) => {
      notifications.show({ color: made["sent"] === true ? "blue" : "yellow", message: typeof made["notice"] === "string" ? made["notice"] : words.approved });
      clear();
      close();
    },
  });
  const volume = lots(preview?.volume);
  const risk = money(preview?.risk_money, currency, { signed: false });
  return (
    <Stack component="form" gap="sm" onSubmit={(event) => {
      event.preventDefault();
      approve.mutate(undefined);
    }}>
      <Text fw={600} data-figure="say">{words.approveSay(volume, risk)}</Text>
      <div className="dim">{preview?.order_type} · {words.entry} {preview?.entry} · {words.stop} {preview?.stop} · {words.target} {preview?.target ?? common.unknown} · {ratio(preview?.reward_to_risk ?? null)}</div>
      {preview && !preview.passed && (
        <Alert color="yellow" title={words.gateRefuses(preview.refusals.length)}>
          {preview.refusals.map((one, n) => <div key={n}>{String(one["reason"])}</div>)}
          <div className="dim">{words.approveRefused}</div>
        </Alert>
      )}
      {Object.entries(fields).map(([name, why]) => <Alert key={name} color="red" role="alert">{why}</Alert>)}
      <Textarea label={words.reasonOptional} value={reason} maxLength={1000} autosize minRows={1} onChange={(event) => setReason(event.currentTarget.value)} />
      <Row justify="flex-end">
        <Button variant="default" onClick={close}>{common.cancel}</Button>
        <Button type="submit" data-autofocus loading={approve.isPending} disabled={!preview} color={preview && !preview.passed ? "yellow" : "blue"}>{preview && !preview.passed ? words.approveAnyway : words.approveDo(volume, risk)}</Button>
      </Row>
    </Stack>
  );
}

function Reject({ idea, close }: Inside): ReactNode {
  const [reason, setReason] = useState("");
  const [error, setError] = useState("");
  const reject = useWrite(() => take(api.POST("/api/trade-ideas/{idea_id}/reject", { params: { path: { idea_id: idea.id } }, body: { reason } })), {
    nouns: NOUNS,
    onFields: (fields) => setError(Object.values(fields)[0] ?? ""),
    done: () => {
      notifications.show({ message: words.rejected });
      close();
    },
  });
  return (
    <Stack component="form" gap="sm" onSubmit={(event) => {
      event.preventDefault();
      reject.mutate(undefined);
    }}>
      <Textarea label={words.reason} description={words.rejectAsk} value={reason} error={error} data-autofocus maxLength={1000} autosize minRows={2} onChange={(event) => setReason(event.currentTarget.value)}
        onKeyDown={(event) => {
          if (event.key === "Enter" && !event.shiftKey) {
            event.preventDefault();
            event.currentTarget.form?.requestSubmit();
          }
        }} />
      <Chip.Group value={reason} onChange={(value) => setReason(String(value))}>
        <Row gap={6}>{words.quick.map((one) => <Chip key={one} size="xs" value={one}>{one}</Chip>)}</Row>
      </Chip.Group>
      <Row justify="flex-end">
        <Button variant="default" onClick={close}>{common.cancel}</Button>
        <Button type="submit" loading={reject.isPending}>{words.rejectDo}</Button>
      </Row>
    </Stack>
  );
}

function Withdraw({ idea, close }: Inside): ReactNode {
  const [reason, setReason] = useState("");
  const cancel = useWrite(() => take(api.POST("/api/trade-ideas/{idea_id}/cancel", { params: { path: { idea_id: idea.id } }, body: { reason } })), {
    nouns: NOUNS,
    done: () => {
      notifications.show({ message: words.withdrawn });
      close();
    },
  });
  return (
    <Stack gap="sm">
      <Text>{words.withdrawText}</Text>
      <Textarea label={words.reasonOptional} value={reason} maxLength={1000} autosize onChange={(event) => setReason(event.currentTarget.value)} />
      <Row justify="flex-end">
        <Button variant="default" onClick={close}>{common.close}</Button>
        <Button color="red.8" autoContrast={false} loading={cancel.isPending} onClick={() => cancel.mutate(undefined)}>{idea.status === "placed" ? words.cancelOrder : words.cancelIdea}</Button>
      </Row>
    </Stack>
  );
}

function Resolve({ idea, close }: Inside): ReactNode {
  const [status, setStatus] = useState<(typeof BECAME)[number]>("failed");
  const [ticket, setTicket] = useState<number | string>("");
  const [reason, setReason] = useState("");
  const [errors, setErrors] = useState<Record<string, string>>({});
  const body = { status, reason, ...(typed(ticket) === null ? {} : { ticket: Number(ticket) }) };
  const resolve = useWrite(() => take(api.POST("/api/trade-ideas/{idea_id}/resolve", { params: { path: { idea_id: idea.id } }, body })), { nouns: NOUNS, onFields: setErrors, done: close });
  return (
    <Stack component="form" gap="sm" onSubmit={(event) => {
      event.preventDefault();
      resolve.mutate(undefined);
    }}>
      <Text>{words.resolveText}</Text>
      <Select label={words.became} data={[...BECAME]} value={status} allowDeselect={false} error={errors["status"]} onChange={(value) => setStatus(BECAME.find((one) => one === value) ?? "failed")} />
      <NumberInput label={words.ticket} value={ticket} allowDecimal={false} min={1} error={errors["ticket"]} onChange={setTicket} />
      <Textarea label={words.how} value={reason} maxLength={500} autosize error={errors["reason"]} onChange={(event) => setReason(event.currentTarget.value)} />
      <Row justify="flex-end"><Button variant="default" onClick={close}>{common.cancel}</Button><Button type="submit" loading={resolve.isPending}>{words.resolve}</Button></Row>
    </Stack>
  );
}
