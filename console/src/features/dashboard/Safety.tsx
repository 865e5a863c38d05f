import { useQuery } from "@tanstack/react-query";
import type { ReactNode } from "react";
import { Money } from "@/components/Numbers";
import { StateOf } from "@/components/StateOf";
import type { Schemas } from "@/lib/api";
import { inR, money, percent } from "@/lib/format";
import * as read from "@/lib/queries";
import { common, dashboard as words } from "@/lib/strings";

/** The four figures that say whether one is safe, and the account beside them. */
export function Safety(): ReactNode {
  const standing = useQuery(read.standing);
  const account = useQuery(read.account);
  const positions = useQuery(read.positions);
  const currency = account.data?.currency ?? "";
  return (
    <>
      <section className="card span3" title={words.dayTip}><h2>{words.day}</h2><Limit query={standing} used={(s) => s.daily_loss} currency={currency} /></section>
      <section className="card span3" title={words.drawdownTip}><h2>{words.drawdown}</h2><Limit query={standing} used={(s) => s.drawdown} currency={currency} /></section>
      <section className="card span3" title={words.marginTip}>
        <h2>{words.margin}</h2>
        <StateOf query={account} what={words.margin}>
          {(a) => (
            <>
              <Big>{a.margin_level === null ? common.unknown : percent(a.margin_level / 100, 0)}</Big>
              <div className="dim">{a.margin_level === null ? words.noMargin : words.stopOut(percent(a.margin_stop_out / 100, 0))}</div>
              <div className="dim">{words.balance} <Money value={a.balance} currency={a.currency} digits={a.currency_digits} plain /></div>
            </>
          )}
        </StateOf>
      </section>
      <section className="card span3" title={words.riskTip}>
        <h2>{words.risk}</h2>
        <StateOf query={positions} what={words.risk}>
          {({ open_risk: { money: atRisk, r, without_stop: unbounded } }) => {
            return (
              <>
                <Big>{r === null ? money(atRisk === null ? null : -atRisk, currency) : inR(-r)}</Big>
                <div className={unbounded > 0 ? "danger" : "dim num"}>
                  {unbounded > 0 ? words.noStop(unbounded) : atRisk === null ? common.notKnown : `${money(-atRisk, currency)} · ${account.data ? percent(-atRisk / account.data.equity, 2, true) : common.unknown}`}
                </div>
                <div className="dim">{words.equity} <Money value={account.data?.equity} currency={currency} digits={account.data?.currency_digits ?? 2} plain /></div>
              </>
            );
          }}
        </StateOf>
      </section>
    </>
  );
}

function Big({ children }: { children: ReactNode }): ReactNode {
  return <div className="num" style={{ fontSize: 20, fontWeight: 600 }}>{children}</div>;
}

function Limit(props: {
  query: ReturnType<typeof useQuery<Schemas["Standing"]>>;
  used: (standing: Schemas["Standing"]) => Schemas["Used"] | null | undefined;
  currency: string;
}): ReactNode {
  return (
    <StateOf query={props.query} what={words.day}>
      {(standing) => {
        const used = standing.measured ? props.used(standing) : null;
        if (!used) return <><Big>{common.unknown}</Big><div className="warn">{words.notMeasured}: {standing.reason}</div></>;
        const filled = used.limit > 0 ? Math.min(1, Math.max(0, used.share / used.limit)) : 1;
        return (
          <>
            <Big><Money value={-Number(used.lost)} currency={props.currency} /></Big>
            <div className="bar" role="meter" aria-valuemin={0} aria-valuemax={100} aria-valuenow={Math.round(filled * 100)} aria-label={words.ofLimit(percent(used.limit, 1))}>
              <i className={filled >= 1 ? "over" : filled >= 0.7 ? "near" : ""} style={{ width: `${filled * 100}%` }} />
            </div>
            <div className="dim num">{percent(-used.share, 2, true)} {words.ofLimit(percent(used.limit, 1))}</div>
          </>
        );
      }}
    </StateOf>
  );
}
