import { Tooltip } from "@mantine/core";
import { IconLockOpen } from "@tabler/icons-react";
import { useQuery } from "@tanstack/react-query";
import type { ReactNode } from "react";
import { Kill } from "@/app/Kill";
import { useClocks, useNow } from "@/lib/clock";
import { useConnection } from "@/lib/events";
import { clock, localOffset, money, percent } from "@/lib/format";
import { useMay } from "@/lib/may";
import * as read from "@/lib/queries";
import { common, shell } from "@/lib/strings";

/** Account, whether it is real, who decides, the day against its limit, clocks, connection, kill switch. */
export function TopBar(): ReactNode {
  const { data: account } = useQuery(read.account);
  const { data: status } = useQuery(read.status);
  const { data: control } = useQuery(read.control);
  const { data: standing } = useQuery(read.standing);
  const { data: me } = useQuery(read.session);
  const { state } = useConnection();
  const may = useMay();
  const kind = !account || !status ? "unknown" : account.kind === "real" ? "real" : status.mode === "simulated" || status.mode === "replay" ? status.mode : account.kind;
  const words: Record<string, string> = {
    unknown: shell.accountUnknown, real: shell.real, simulated: shell.simulated, replay: shell.replay, demo: shell.demo, contest: shell.contest,
  };
  const day = standing?.measured ? standing.daily_loss : null;
  const lost = day ? -Number(day.lost) : null;
  return (
    <header className="top">
      <span className="kind" data-kind={kind}>{words[kind] ?? kind}</span>
      <span className="wide dim" title={account?.server}>{account ? `${account.login} · ${account.name}` : common.unknown}</span>
      {control && (
        <span className={control.halted ? "danger" : ""} title={control.reason}>
          <b>{control.halted ? shell.halted : shell.mode[control.mode]}</b>
        </span>
      )}
      <Tooltip label={standing && !standing.measured ? standing.reason : shell.dayTip}>
        <span className="num wide" tabIndex={0}>
          <span className="dim">{shell.day} </span>
          <span className={!lost ? "" : lost < 0 ? "down" : "up"}>{money(lost, account?.currency)}</span>
          {day && <span className="dim"> / {percent(day.limit, 1)}</span>}
        </span>
      </Tooltip>
      <span className="grow" />
      {me?.sign_in === "not needed" && (
        <Tooltip label={`${shell.openDesk} ${me.why}`} multiline maw={360}>
          <span className="dim wide" role="img" tabIndex={0} aria-label={shell.openDesk}><IconLockOpen size={16} aria-hidden /></span>
        </Tooltip>
      )}
      <Clock />
      <span className={state === "lost" ? "danger" : "dim"} role="status">{state === "live" ? shell.connected : state === "lost" ? shell.lost : shell.connecting}</span>
      {may.trade && <Kill />}
    </header>
  );
}

function Clock(): ReactNode {
  const now = useNow();
  const { deskAhead, brokerOffset, reason } = useClocks();
  const desk = now + deskAhead;
  const local = localOffset(now);
  return (
    <span className="num wide" title={brokerOffset === null ? (reason ?? "") : clock(desk, brokerOffset)}>
      {brokerOffset === null ? common.unknown : clock(desk, brokerOffset, { date: false })} <span className="dim">{shell.broker} | </span>
      {clock(now, local, { date: false })} <span className="dim">{shell.local}</span>
    </span>
  );
}
