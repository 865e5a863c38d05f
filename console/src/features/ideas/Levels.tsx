import { ActionIcon, NumberInput } from "@mantine/core";
import { IconRestore } from "@tabler/icons-react";
import type { ReactNode } from "react";
import { ratio } from "./List";
import { digits, FIELDS, type Field, type Idea, type Overrides } from "./model";
import { DeskError, type Schemas } from "@/lib/api";
import { lots, money, percent, typed } from "@/lib/format";
import { common, ideas as words } from "@/lib/strings";

/** Entry, stop, target and lots as fields, and what they lead to, by the desk's own reckoning. */
export function Levels(props: {
  idea: Idea;
  wanted: Overrides;
  set: (field: Field, value: number | null | undefined) => void;
  errors: Readonly<Record<string, string>>;
  shown: Schemas["Preview"] | null;
  editable: boolean;
  failed: unknown;
  account: Schemas["AccountAnswer"] | undefined;
}): ReactNode {
  const { idea, wanted, set, errors, shown, editable, failed, account } = props;
  const from = shown ?? idea;
  const fraction = digits(idea);
  const size = shown?.size as { limited_by?: string; refusal?: string } | null | undefined;
  const currency = account?.currency ?? "";
  const beside = failed instanceof DeskError && Object.keys(failed.fields).length === 0 ? failed.message : "";
  return (
    <div className="card">
      <h2>{words.levels} <span className="dim">· {shown ? words.live : words.asMade}</span></h2>
      {editable && (
        <>
          <div className="ideas-fields">
            {FIELDS.map((field) => {
              const value = wanted[field] ?? from[field];
              const own = wanted[field] != null || (idea.fixed[field] !== undefined && wanted[field] !== null);
              return (
                <NumberInput
                  key={field} size="xs" label={words[field]} value={value ?? ""} decimalScale={field === "volume" ? 2 : fraction} fixedDecimalScale
                  step={field === "volume" ? 0.01 : idea.tick_size * 10} min={0} allowNegative={false} error={errors[field]}
                  {...(field === "entry" && !own && from.order_type === "market" ? { title: words.liveEntry } : {})}
                  className={own ? "ideas-own" : ""}
                  onChange={(given) => {
                    const next = typed(given);
                    if (next !== null && (value === null || Math.abs(next - value) >= 1e-9)) set(field, next);
                  }}
                  rightSection={own ? <ActionIcon size="sm" variant="subtle" color="gray" aria-label={words.giveBack(words[field])} title={words.giveBack(words[field])} onClick={() => set(field, idea.fixed[field] === undefined ? undefined : null)}><IconRestore size={14} /></ActionIcon> : undefined}
                />
              );
            })}
          </div>
          <div className="dim ideas-hint">{words.dragHint} {words.entryMakes}.</div>
        </>
      )}
      <dl className="ideas-figures">
        <div><dt>{words.lots}</dt><dd className="num" data-figure="lots">{lots(from.volume)}</dd><dd className="dim">{size?.limited_by ? words.limitedBy[size.limited_by] : ""}</dd></div>
        <div title={words.riskTip}>
          <dt>{words.risk}</dt><dd className="num down" data-figure="risk">{money(from.risk_money === null ? null : -from.risk_money, currency)}</dd>
          <dd className="dim num">{account && from.risk_money !== null ? words.ofEquity(percent(from.risk_money / account.equity)) : ""}</dd>
        </div>
        <div><dt>{words.rr}</dt><dd className="num" data-figure="rr">{ratio(from.reward_to_risk)}</dd><dd className="dim num">{from.target === null ? "" : pipsOf(from.entry, from.stop, from.target, fraction)}</dd></div>
        <div><dt>{words.margin}</dt><dd className="num">{money(from.margin, currency, { signed: false })}</dd><dd className="dim num">{account && from.margin !== null ? words.ofEquity(percent(from.margin / account.equity)) : ""}</dd></div>
      </dl>
      {shown?.passed_by && <div className="warn">{words.passedBy}</div>}
      {size?.refusal && <div className="warn">{size.refusal}</div>}
      {shown?.warnings.map((warning) => <div key={warning} className="warn">{warning}</div>)}
      {beside && <div className="danger" role="alert">{beside}</div>}
      {!shown && editable && !beside && <div className="dim">{common.loading}</div>}
    </div>
  );
}

function pipsOf(entry: number, stop: number, target: number, fraction: number): string {
  const pip = 10 ** -(fraction === 3 || fraction === 5 ? fraction - 1 : fraction);
  return `${(Math.abs(target - entry) / pip).toFixed(1)} / ${(Math.abs(entry - stop) / pip).toFixed(1)} pips`;
}
