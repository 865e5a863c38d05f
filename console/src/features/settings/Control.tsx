import { Button, Group, TextInput } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { useState, type ReactNode } from "react";
import { Head } from "./shared";
import { TypedConfirm } from "./TypedConfirm";
import { RelativeTime } from "@/components/Numbers";
import { StateOf } from "@/components/StateOf";
import { api, take, type Schemas } from "@/lib/api";
import { useMay } from "@/lib/may";
import { useWrite } from "@/lib/mutation";
import * as read from "@/lib/queries";
import { settings } from "@/lib/strings";

const words = settings.control;
const NOUNS = ["control", "status", "risk", "settings"];
type Mode = Schemas["ControlView"]["mode"];
const MODES: readonly Mode[] = ["observe", "supervised", "autonomous"];

/** Who decides, and what holds the desk back. What lets more through stands apart. */
export function Control(): ReactNode {
  const query = useQuery(read.control);
  const { own, trade } = useMay();
  const mode = useWrite((body: { mode: Mode; reason: string }) => take(api.POST("/api/control/mode", { body })), { nouns: NOUNS });
  const resume = useWrite((reason: string) => take(api.POST("/api/control/resume", { body: { reason } })), { nouns: NOUNS });
  return (
    <StateOf query={query} what={settings.sections.control} height={300}>
      {(control) => (
        <>
          <Head title={settings.sections.control} />
          <section className="card" style={{ marginBottom: 12 }}>
            <h2>{words.mode}</h2>
            {MODES.map((one) => (
              <div key={one} className="row" style={{ alignItems: "center" }} aria-current={control.mode === one ? "true" : undefined}>
                <span aria-hidden style={{ width: 14 }} className={control.mode === one ? "up" : "dim"}>{control.mode === one ? "●" : "○"}</span>
                <span className="what"><b>{words.modes[one][0]}</b> <span className="dim">{words.modes[one][1]}</span></span>
              </div>
            ))}
            {own && MODES.filter((one) => one !== control.mode && one !== "autonomous").map((one) => (
              <Because key={one} label={`${words.change}: ${words.modes[one][0]}`} busy={mode.isPending} act={(reason) => mode.mutate({ mode: one, reason })} />
            ))}
          </section>
          <section className="card" style={{ marginBottom: 12 }}>
            <h2>{words.halts}</h2>
            {control.halts.length === 0 && <div className="dim">{words.noHalts}</div>}
            {control.halts.map((halt) => (
              <div key={halt.kind} className="row danger"><span className="what">{halt.kind.replaceAll("_", " ")}: {halt.reason} <span className="dim">{words.by} {halt.by}</span></span><RelativeTime past at={halt.at} /></div>
            ))}
            {trade && <Halt />}
          </section>
          {own && (control.halted || control.mode !== "autonomous") && (
            <section className="card zone">
              <h2 className="danger">{words.danger}</h2>
              {control.halted && <TypedConfirm word={words.words.resume} title={words.resume} text={words.resumeText} busy={resume.isPending} act={(reason) => resume.mutate(reason)} />}
              {control.mode !== "autonomous" && (
                <TypedConfirm word={words.words.autonomous} title={`${words.change}: ${words.modes.autonomous[0]}`} text={words.autonomousText} busy={mode.isPending}
                  act={(reason) => mode.mutate({ mode: "autonomous", reason })} />
              )}
            </section>
          )}
        </>
      )}
    </StateOf>
  );
}

function Halt(): ReactNode {
  const halt = useWrite((reason: string) => take(api.POST("/api/control/halt", { body: { reason } })), { nouns: NOUNS });
  return <><div className="dim" style={{ marginTop: 8 }}>{words.haltText}</div><Because label={words.halt} busy={halt.isPending} act={(reason) => halt.mutate(reason)} /></>;
}

function Because({ label, act, busy }: { label: string; act: (reason: string) => void; busy: boolean }): ReactNode {
  const [reason, setReason] = useState("");
  return (
    <Group component="form" gap={8} mt={8} onSubmit={(event) => {
      event.preventDefault();
      act(reason);
      setReason("");
    }}>
      <TextInput size="xs" placeholder={settings.reason} aria-label={`${settings.reason}: ${label}`} required maxLength={500} value={reason} style={{ flex: 1 }} onChange={(event) => setReason(event.currentTarget.value)} />
      <Button size="xs" variant="default" type="submit" loading={busy}>{label}</Button>
    </Group>
  );
}
