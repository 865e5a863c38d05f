import { Tooltip } from "@mantine/core";
import { useRef, useEffect, type ReactNode } from "react";
import { useClocks, useNow } from "@/lib/clock";
import { clock, localOffset, money, priceParts, relative } from "@/lib/format";
import { useMoment } from "@/lib/moment";
import { common, shell } from "@/lib/strings";

function useFlash(value: unknown): React.RefObject<HTMLSpanElement | null> {
  const place = useRef<HTMLSpanElement>(null);
  const before = useRef(value);
  useEffect(() => {
    const element = place.current;
    if (element && before.current !== value) {
      element.classList.remove("flash");
      requestAnimationFrame(() => element.classList.add("flash"));
    }
    before.current = value;
  }, [value]);
  return place;
}

/** A price. `digits`: the symbol's; null or undefined `value` is shown as not known. */
export function Price({ value, digits }: { value: number | null | undefined; digits: number }): ReactNode {
  const place = useFlash(value);
  const parts = priceParts(value, digits);
  return (
    <span className="num" ref={place}>
      {parts ? <>{parts.head}<span className="pip">{parts.pip}</span><span className="fraction">{parts.last}</span></> : common.unknown}
    </span>
  );
}

/** Money with sign, currency and colour by sign. `plain`: a balance, neither signed nor coloured. `why`: tooltip. */
export function Money(props: { value: number | null | undefined; currency?: string | undefined; digits?: number; plain?: boolean; why?: string }): ReactNode {
  const { value, currency = "", digits = 2, plain = false, why } = props;
  const place = useFlash(value);
  const colour = plain || value == null || value === 0 ? "" : value > 0 ? "up" : "down";
  return <span ref={place} className={`num ${colour}`} title={why}>{money(value, currency, { digits, signed: !plain })}</span>;
}

/** An instant (ISO with offset) on the clock that the person chose, to the minute; UTC on hover. */
export function Moment({ at }: { at: string | null | undefined }): ReactNode {
  const { name, text } = useMoment();
  if (!at) return <span className="num">{common.unknown}</span>;
  return <time className="num" dateTime={at} title={`${text(at, true)} ${shell.clocks[name]} · ${clock(Date.parse(at), 0)} UTC`}>{text(at)}</time>;
}

/** Milliseconds by which two clocks of one desk may differ. */
const SKEW = 60_000;

/**
 * An instant (ISO with offset) as its age, by desk time or by `wall` time (jobs); broker, local and UTC on hover.
 * `past`: it has happened; what lies ahead of the desk all the same, since a replay began earlier again, is shown as its date.
 */
export function RelativeTime({ at, wall = false, past = false }: { at: string | null | undefined; wall?: boolean; past?: boolean }): ReactNode {
  const now = useNow();
  const { deskAhead, wallAhead, brokerOffset } = useClocks();
  if (!at) return <span className="num">{common.unknown}</span>;
  const when = Date.parse(at);
  const today = now + (wall ? wallAhead : deskAhead);
  const lines = [
    brokerOffset === null ? "" : `${clock(when, brokerOffset)} ${shell.broker}`,
    `${clock(when, localOffset(when))} ${shell.local}`,
    `${clock(when, 0)} UTC`,
  ];
  return (
    <Tooltip label={lines.filter(Boolean).join(" · ")}>
      <time className="num dim" dateTime={at} tabIndex={0}>{past && when > today + SKEW ? clock(when, brokerOffset ?? 0, { seconds: false }) : relative(when, today)}</time>
    </Tooltip>
  );
}
