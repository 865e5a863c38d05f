import { useQueries } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { useMemo, type ReactNode } from "react";
import { Overlay } from "./charts";
import { KEY, shown, type KeyName } from "./figures";
import { currencyOf, equityOf, nameOf, periodOf, reportOf, type Report, type Run } from "./read";
import { DataTable, type Column } from "@/components/DataTable";
import { StateOf } from "@/components/StateOf";
import { useFilters } from "@/lib/address";
import { common, research as words } from "@/lib/strings";

type Row = { name: KeyName; one: number | string | null; other: number | string | null };
type Both = { run: Run; report: Report };
const idOf = ({ name }: Row): string => name;
const MONEY = new Set<string>(["net_profit"]);

/** Two runs laid over each other, and where their figures differ. */
export function Page(): ReactNode {
  const [{ a, b }] = useFilters(["a", "b"]);
  const [one, other] = useQueries({ queries: [reportOf(a), reportOf(b)] });
  const [first, second] = useQueries({ queries: [equityOf(a, 2000), equityOf(b, 2000)] });
  if (!a || !b) return <p className="dim">{words.needTwo} <Link to="/research">{words.back}</Link></p>;
  return (
    <>
      <Link to="/research" className="dim">← {words.back}</Link>
      <h1 style={{ fontSize: 18, margin: "6px 0 12px" }}>{words.compareTitle}</h1>
      <StateOf query={one} what={words.pickA} height={60}>{(of_a) => (
        <StateOf query={other} what={words.pickB} height={60}>{(of_b) => (
          <div className="grid12">
            <section className="card span6"><h2>A</h2><Named run={of_a.row} /></section>
            <section className="card span6"><h2>B</h2><Named run={of_b.row} /></section>
            <section className="card span12">
              <h2>{words.overlay}</h2>
              <StateOf query={first} what={words.equity} height={340}>{(curve_a) => (
                <StateOf query={second} what={words.equity} height={340}>{(curve_b) => (
                  <Overlay curves={[{ name: `A ${of_a.row.id.slice(0, 6)}`, balance: Number(of_a.row.account["balance"]), curve: curve_a }, { name: `B ${of_b.row.id.slice(0, 6)}`, balance: Number(of_b.row.account["balance"]), curve: curve_b }]} />
                )}</StateOf>
              )}</StateOf>
            </section>
            <section className="card span12"><h2>{words.figures}</h2><Differences one={{ run: of_a.row, report: of_a.report }} other={{ run: of_b.row, report: of_b.report }} /></section>
          </div>
        )}</StateOf>
      )}</StateOf>
    </>
  );
}

function Named({ run }: { run: Run }): ReactNode {
  return <><Link to={`/research/${run.id}`}>{nameOf(run)}</Link><div className="dim num">{periodOf(run)} · {run.id}</div>{run.stale.length > 0 && <div className="warn">{words.stale}: {run.stale.join("; ")}</div>}</>;
}

function Differences({ one, other }: { one: Both; other: Both }): ReactNode {
  const [mine, theirs] = [currencyOf(one.run), currencyOf(other.run)];
  const rows = useMemo(() => KEY.map((name): Row => ({ name, one: one.report.metrics[name] ?? null, other: other.report.metrics[name] ?? null })), [one, other]);
  const columns = useMemo((): readonly Column<Row>[] => {
    const less = ({ name, one: a, other: b }: Row): number | null => (typeof a !== "number" || typeof b !== "number" || (MONEY.has(name) && mine !== theirs) ? null : b - a);
    const side = (key: "one" | "other", title: string, of: Both, currency: string): Column<Row> => ({
      key, title, right: true, width: "minmax(110px, 1fr)", value: (row) => row[key], cell: (row) => <span title={of.report.undefined[row.name]}>{shown(row.name, row[key], currency)}</span>,
    });
    return [
      { key: "name", title: words.figure, width: "minmax(140px, 1.2fr)", value: ({ name }) => words.names[name], cell: ({ name }) => <span title={words.formulas[name]}>{words.names[name]}</span> },
      side("one", words.pickA, one, mine), side("other", words.pickB, other, theirs),
      {
        key: "less", title: words.difference, right: true, width: "minmax(120px, 1fr)", value: less,
        cell: (row) => {
          const value = less(row);
          return value === null ? <span title={mine !== theirs ? words.otherCurrency : ""}>{common.unknown}</span> : <b>{(value > 0 && row.name !== "net_profit" && row.name !== "expectancy_r" ? "+" : "") + shown(row.name, value, mine).replace(/%$/, words.points)}</b>;
        },
      },
    ];
  }, [one, other, mine, theirs]);
  return <DataTable label={words.compareTitle} rows={rows} columns={columns} id={idOf} height="auto" />;
}
