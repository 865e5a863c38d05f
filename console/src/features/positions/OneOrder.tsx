import { Button, Checkbox, Group as Row, Modal, NumberInput, Stack, Text } from "@mantine/core";
import { notifications } from "@mantine/notifications";
import { Link } from "@tanstack/react-router";
import { useState, type ReactNode } from "react";
import { NOUNS, type Known, type Order } from "./model";
import { digitsFor, sideOf } from "./Tables";
import { LevelChart, type LevelName } from "@/components/LevelChart";
import { RelativeTime } from "@/components/Numbers";
import { api, take } from "@/lib/api";
import { lots, typed } from "@/lib/format";
import { useWrite } from "@/lib/mutation";
import { common, positions as words } from "@/lib/strings";

const FIELDS = ["price", "stop", "target"] as const;
type Field = (typeof FIELDS)[number];
const LINE: Record<LevelName, Field> = { entry: "price", stop: "stop", target: "target" };

/** One order that waits: moving its price, stop and target, and cancelling it. */
export function OneOrder({ one, idea, may, shut }: { one: Order; idea: Known | undefined; may: boolean; shut: () => void }): ReactNode {
  const [wanted, setWanted] = useState<Partial<Record<Field, number | null>>>({});
  const [errors, setErrors] = useState<Record<string, string>>({});
  const [cancelling, setCancelling] = useState(false);
  const digits = digitsFor(idea, one.price, one.price_current, one.stop, one.target);
  const at = (name: Field): number | null => (wanted[name] === undefined ? one[name] : wanted[name]);
  const changed = FIELDS.filter((name) => at(name) !== one[name]);
  const set = (name: Field, value: number | null): void => {
    setErrors({});
    setWanted((before) => ({ ...before, [name]: value }));
  };
  const move = useWrite(
    () => take(api.PATCH("/api/orders/{ticket}", { params: { path: { ticket: one.ticket } }, body: { ...Object.fromEntries(changed.map((name) => [name, at(name)])), reason: "" } })),
    { nouns: NOUNS, onFields: setErrors, done: ({ message }) => {
      setWanted({});
      notifications.show({ title: words.moved, message });
    } },
  );
  return (
    <Stack gap="sm">
      <span><b>{one.symbol}</b> {sideOf(one.type)} <span className="num">{lots(one.volume_left)}</span> {!one.ours && <span className="warn">{words.foreign}</span>}</span>
      <div className="dim">
        {words.col.placed} <RelativeTime past at={one.placed_at} /> · {words.col.expires} {one.expires_at ? <RelativeTime at={one.expires_at} /> : words.gtc}
        {idea && <> · <Link to={`/ideas/${idea.id}`}>{words.idea}</Link></>}
      </div>
      <LevelChart symbol={one.symbol} timeframe="M15" digits={digits} height={260} levels={{ entry: at("price"), stop: at("stop"), target: at("target") }} editable={may ? ["entry", "stop", "target"] : []} onDrop={(name, value) => set(LINE[name], value)} />
      <div className="positions-fields">
        {FIELDS.map((name) => (
          <NumberInput key={name} size="xs" label={words[name]} value={at(name) ?? ""} decimalScale={digits} fixedDecimalScale step={10 ** (1 - digits)} min={0} error={errors[name]} disabled={!may}
            onChange={(value) => {
              const next = typed(value) ?? (name === "target" && value === "" ? null : undefined);
              if (next !== undefined && next !== at(name)) set(name, next);
            }} />
        ))}
      </div>
      {may ? (
        <Row justify="space-between">
          <Button size="compact-md" variant="light" disabled={changed.length === 0} loading={move.isPending} onClick={() => move.mutate(undefined)}>{words.change}</Button>
          <Button size="compact-md" color="red.8" autoContrast={false} onClick={() => setCancelling(true)}>{words.cancel}…</Button>
        </Row>
      ) : <div className="dim">{words.mayNot}</div>}
      <Modal opened={cancelling} onClose={() => setCancelling(false)} title={words.cancelTitle(`${one.symbol} ${one.type.replaceAll("_", " ")}`)}>
        {cancelling && <Cancel one={one} shut={() => setCancelling(false)} done={shut} />}
      </Modal>
    </Stack>
  );
}

function Cancel({ one, shut, done }: { one: Order; shut: () => void; done: () => void }): ReactNode {
  const [all, setAll] = useState(false);
  const cancel = useWrite(() => take(api.DELETE("/api/orders/{ticket}", { params: { path: { ticket: one.ticket }, query: { all } } })), {
    nouns: NOUNS,
    done: ({ message }) => {
      notifications.show({ title: words.cancelled, message });
      shut();
      done();
    },
  });
  return (
    <Stack gap="sm">
      <Text fw={600}>{words.cancelSay(lots(one.volume_left))}</Text>
      {!one.ours && <Checkbox label={words.closeForeign} checked={all} onChange={(event) => setAll(event.currentTarget.checked)} />}
      <Row justify="flex-end">
        <Button variant="default" onClick={shut}>{common.close}</Button>
        <Button color="red.8" autoContrast={false} data-autofocus loading={cancel.isPending} disabled={!one.ours && !all} onClick={() => cancel.mutate(undefined)}>{words.cancel}</Button>
      </Row>
    </Stack>
  );
}
