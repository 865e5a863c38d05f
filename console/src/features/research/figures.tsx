import type { ReactNode } from "react";
import type { Report } from "./read";
import { inR, money, percent } from "@/lib/format";
import { common, research as words } from "@/lib/strings";

export type KeyName = keyof typeof words.names;
export const KEY = Object.keys(words.names) as KeyName[];
const TINY = 1e-4;

/** A figure of a report as text, in its unit. */
export function shown(name: string, value: unknown, currency: string): string {
  return inUnit(name, value, currency).replace(/^-/, "−");
}

function inUnit(name: string, value: unknown, currency: string): string {
  if (typeof value !== "number") return typeof value === "string" ? value : common.unknown;
  if (name === "net_profit" || name === "final_balance") return money(value, currency, { signed: name === "net_profit" });
  if (name.endsWith("_pct")) return percent(value / 100, 2);
  if (name === "expectancy_r") return inR(value);
  if (name === "risk_of_ruin" || name === "psr" || name === "dsr") return percent(value, 1);
  if (name === "longest_underwater_days") return `${value.toFixed(0)} d`;
  if (Number.isInteger(value)) return value.toLocaleString("en-US");
  return (Math.abs(value) < TINY ? value.toExponential(1) : Math.abs(value) < 0.1 ? value.toPrecision(2) : value.toFixed(2)).replace(/^-/, "−");
}

/** One key figure: its formula as tooltip; where it is not known, the reason. */
export function Figure({ name, report, currency }: { name: KeyName; report: Report; currency: string }): ReactNode {
  const value = report.metrics[name];
  const why = report.undefined[name];
  const look = name === "net_profit" && typeof value === "number" ? (value >= 0 ? "up" : "down") : "";
  return (
    <div title={why ? `${words.formulas[name]}. ${words.whyNull}: ${why}` : words.formulas[name]} tabIndex={0}>
      <div className="dim" style={{ fontSize: 11 }}>{words.names[name]}</div>
      <div className={`num ${look}`} style={{ fontSize: 17, fontWeight: 600 }}>{shown(name, value, currency)}</div>
      {why && <div className="dim" style={{ fontSize: 10.5, lineHeight: 1.25 }}>{why}</div>}
    </div>
  );
}
