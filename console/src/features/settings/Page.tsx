import "./settings.css";
import { Select } from "@mantine/core";
import { Link, useNavigate, useParams } from "@tanstack/react-router";
import { lazy, Suspense, type ComponentType, type ReactNode } from "react";
import { Appearance } from "./Appearance";
import { useMay } from "@/lib/may";
import { common, settings as words } from "@/lib/strings";

type Name = keyof typeof words.sections;
type Section = { name: Name; group: keyof typeof words.groups; own?: boolean; Show: ComponentType };

const SECTIONS: readonly Section[] = [
  { name: "risk", group: "trading", Show: lazy(async () => ({ default: (await import("./Risk")).Risk })) },
  { name: "rulebook", group: "trading", Show: lazy(async () => ({ default: (await import("./Rulebook")).Rulebook })) },
  { name: "control", group: "trading", Show: lazy(async () => ({ default: (await import("./Control")).Control })) },
  { name: "schedules", group: "trading", Show: lazy(async () => ({ default: (await import("./Schedules")).Schedules })) },
  { name: "integrations", group: "data", Show: lazy(async () => ({ default: (await import("./Integrations")).Integrations })) },
  { name: "feeds", group: "data", Show: lazy(async () => ({ default: (await import("./Feeds")).Feeds })) },
  { name: "symbols", group: "data", Show: lazy(async () => ({ default: (await import("./Symbols")).Symbols })) },
  { name: "history", group: "data", Show: lazy(async () => ({ default: (await import("./History")).History })) },
  { name: "users", group: "people", own: true, Show: lazy(async () => ({ default: (await import("./Users")).Users })) },
  { name: "access", group: "people", Show: lazy(async () => ({ default: (await import("./Access")).Access })) },
  { name: "security", group: "people", own: true, Show: lazy(async () => ({ default: (await import("./Security")).Security })) },
  { name: "changes", group: "people", Show: lazy(async () => ({ default: (await import("./Changes")).Changes })) },
  { name: "appearance", group: "screen", Show: Appearance },
];

/** Sections beside one another; those that one's role may not use are not there. */
export function Page(): ReactNode {
  const { section }: { section?: string } = useParams({ strict: false });
  const { own } = useMay();
  const navigate = useNavigate();
  const there = SECTIONS.filter((one) => !one.own || own);
  const found = section === undefined ? there[0] : there.find(({ name }) => name === section);
  const to = (name: string): string => `/settings/${name}`;
  return (
    <>
      <h1 className="pagetitle">{words.title}</h1>
      <div className="sections">
        <nav aria-label={words.title}>
          {(Object.keys(words.groups) as (keyof typeof words.groups)[]).map((group) => (
            <div key={group} style={{ display: "contents" }}>
              <div className="dim" style={{ fontSize: 11, padding: "8px 8px 2px" }}>{words.groups[group]}</div>
              {there.filter((one) => one.group === group).map(({ name }) => (
                <Link key={name} to={to(name)} aria-current={found?.name === name ? "page" : undefined}>{words.sections[name]}</Link>
              ))}
            </div>
          ))}
        </nav>
        <Select className="narrow" aria-label={words.title} value={found?.name ?? null} allowDeselect={false} onChange={(name) => name && void navigate({ to: to(name) })}
          data={(Object.keys(words.groups) as (keyof typeof words.groups)[]).map((group) => ({
            group: words.groups[group], items: there.filter((one) => one.group === group).map(({ name }) => ({ value: name, label: words.sections[name] })),
          }))} />
        <div style={{ minWidth: 0 }}>
          {found ? <Suspense fallback={<span className="dim">{common.loading}</span>}><found.Show key={found.name} /></Suspense> : <p>{words.noSection}</p>}
        </div>
      </div>
    </>
  );
}
