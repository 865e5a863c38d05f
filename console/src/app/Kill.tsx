import { Alert, Button, Checkbox, Group, Modal, Stack, Text, TextInput } from "@mantine/core";
import { useState, type ReactNode } from "react";
import { api, take, type Schemas } from "@/lib/api";
import { useWrite } from "@/lib/mutation";
import { common, shell } from "@/lib/strings";

/** The kill switch: a word must be typed, and what is left is shown as the terminal says it. */
export function Kill(): ReactNode {
  const [open, setOpen] = useState(false);
  return (
    <>
      <Button color="red.8" autoContrast={false} size="compact-sm" onClick={() => setOpen(true)}>{shell.kill}</Button>
      <Modal opened={open} onClose={() => setOpen(false)} title={shell.killTitle}>{open && <Sure close={() => setOpen(false)} />}</Modal>
    </>
  );
}

function Sure({ close }: { close: () => void }): ReactNode {
  const [body, setBody] = useState({ close: false, all: false });
  const [word, setWord] = useState("");
  const kill = useWrite(() => take(api.POST("/api/control/kill", { body: { ...body, reason: "kill switch" } })), {
    nouns: ["control", "status", "orders", "positions", "account", "risk", "trade-ideas"],
  });
  if (kill.data) return <Left report={kill.data} close={close} />;
  return (
    <Stack component="form" gap="sm" onSubmit={(event) => {
      event.preventDefault();
      if (word === shell.killWord) kill.mutate(undefined);
    }}>
      <Text>{shell.killText}</Text>
      <Checkbox label={shell.killClose} checked={body.close} onChange={(event) => setBody({ ...body, close: event.currentTarget.checked })} />
      <Checkbox label={shell.killAll} checked={body.all} onChange={(event) => setBody({ ...body, all: event.currentTarget.checked })} />
      <TextInput label={shell.killType} value={word} data-autofocus autoComplete="off" onChange={(event) => setWord(event.currentTarget.value.toUpperCase())} />
      <Group justify="flex-end">
        <Button variant="default" onClick={close}>{common.cancel}</Button>
        <Button color="red.8" autoContrast={false} type="submit" disabled={word !== shell.killWord} loading={kill.isPending}>
          {body.close ? shell.killDoClose : shell.killDo}
        </Button>
      </Group>
    </Stack>
  );
}

function Left({ report, close }: { report: Schemas["Killed"]; close: () => void }): ReactNode {
  const left = (list: unknown[] | null): string => (list === null ? common.notKnown : String(list.length));
  return (
    <Stack gap="xs" role="status">
      <Text fw={600}>{shell.killed}</Text>
      <Text className={report.halted ? "" : "danger"}>{report.halted ? shell.killHalted : shell.killNotHalted}</Text>
      <Text>{shell.killCancelled(report.cancelled.length)}</Text>
      <Text>{shell.killClosed(report.closed.length)}</Text>
      <Text>{shell.killLeft(left(report.orders_left), left(report.positions_left))}</Text>
      {report.problems.map((problem) => <Alert key={problem} color="red">{problem}</Alert>)}
      <Group justify="flex-end"><Button variant="default" onClick={close}>{common.close}</Button></Group>
    </Stack>
  );
}
