import { useQuery } from "@tanstack/react-query";
import { useMemo, type ReactNode } from "react";
import { useWanted } from "./Filters";
import { plain } from "./shapes";
import { DataTable, type Column } from "@/components/DataTable";
import { Money } from "@/components/Numbers";
import { StateOf } from "@/components/StateOf";
import { useFilters } from "@/lib/address";
import { api, take, type Schemas } from "@/lib/api";
import { inR } from "@/lib/format";
import { common, decisions as words } from "@/lib/strings";

type Check = Schemas["CheckWorth"];
const idOf = ({ check }: Check): string => check;
const whyUnknown = (row: Check): string => Object.entries(row.together.unknown).map(([reason, count]) => `${count} × ${reason}`).join("; ");

/** Which check refused most, and what the refused ideas would have earned. */
export function WhyNot(): ReactNode {
  const { query } = useWanted();
  const [, change] = useFilters(["refused_by", "view"]);
  const found = useQuery({ queryKey: ["decisions", "why-not", JSON.stringify(query)], queryFn: () => take(api.GET("/api/decisions/why-not", { params: { query } })) });
  const currency = found.data?.currency ?? "";
  const most = Math.max(1, ...(found.data?.checks.map(({ decisions }) => decisions) ?? []));
  const columns = useMemo((): readonly Column<Check>[] => {
    const worth = (key: "cost" | "saved" | "net", title: string): Column<Check> => ({
      key, title, right: true, width: "120px", value: (row) => row.together[key],
      cell: (row) => <Money value={row.together[key]} currency={currency} plain={key !== "net"} why={row.together[key] === null ? whyUnknown(row) || words.ideasTip : words.netTip} />,
    });
    return [
      { key: "check", title: words.gateCheck, width: "180px", value: ({ check }) => plain(check), cell: ({ check }) => <button type="button" className="link" title={words.show} onClick={() => change({ refused_by: check, view: null })}>{plain(check)}</button> },
      { key: "share", title: words.refused, width: "minmax(140px, 1fr)", value: ({ decisions }) => decisions, cell: ({ decisions }) => <span style={{ display: "grid", gridTemplateColumns: "64px 1fr", alignItems: "center", gap: 8 }}><span className="num right">{decisions.toLocaleString("en-US")}</span><span className="bar"><i style={{ width: `${(decisions / most) * 100}%` }} /></span></span> },
      { key: "alone", title: words.alone, right: true, width: "80px", value: ({ alone }) => alone, cell: ({ alone }) => <span title={words.aloneTip}>{alone.toLocaleString("en-US")}</span> },
      { key: "ideas", title: words.ideas, right: true, width: "70px", value: ({ together }) => together.ideas, cell: ({ together }) => <span title={words.ideasTip}>{together.ideas}</span> },
      { key: "known", title: words.known, right: true, width: "70px", value: ({ together }) => together.known },
      { key: "wins", title: words.wins, right: true, width: "60px", value: ({ together }) => together.known === 0 ? null : together.wins },
      { key: "losses", title: words.losses, right: true, width: "60px", value: ({ together }) => together.known === 0 ? null : together.losses },
      worth("cost", words.cost), worth("saved", words.saved), worth("net", words.net),
      { key: "r", title: words.netR, right: true, width: "90px", value: ({ together }) => together.net_r, cell: ({ together }) => inR(together.net_r) },
      { key: "why", title: words.unknownWhy, wide: true, width: "minmax(140px, 1.4fr)", value: whyUnknown, cell: (row) => <span className="dim" title={whyUnknown(row)}>{whyUnknown(row) || common.unknown}</span> },
    ];
  }, [currency, most, change]);
  return (
    <>
      <p className="dim" title={words.whyTip} style={{ margin: "0 0 8px" }}>{words.whyTitle}. {words.whyTip}.</p>
      <StateOf query={found} what={words.whyNot} height={320} isEmpty={({ checks }) => checks.length === 0} empty={words.noRefusals}>
        {({ checks, total }) => <DataTable label={words.whyNot} rows={checks} columns={columns} id={idOf} height="auto" actions={<span className="dim">{words.looked(total)}</span>} />}
      </StateOf>
    </>
  );
}
