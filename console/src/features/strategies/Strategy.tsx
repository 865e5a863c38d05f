import { Button, Group, Switch, Tabs, TextInput } from "@mantine/core";
import { notifications } from "@mantine/notifications";
import { useQuery } from "@tanstack/react-query";
import { Link, useNavigate, useParams } from "@tanstack/react-router";
import { lazy, Suspense, type ReactNode } from "react";
import { Backtests } from "./Backtests";
import { Editor, useSource } from "./Editor";
import { useSwitch } from "./switch";
import { ConfirmButton } from "@/components/ConfirmButton";
import { ExplanationView } from "@/components/Explanation";
import { RelativeTime } from "@/components/Numbers";
import { StateOf } from "@/components/StateOf";
import { useFilters } from "@/lib/address";
import { api, take } from "@/lib/api";
import { useMay } from "@/lib/may";
import { useWrite } from "@/lib/mutation";
import { strategies as words } from "@/lib/strings";

const Difference = lazy(async () => ({ default: (await import("./CodeEditor")).Difference }));

export function Page(): ReactNode {
  const { id = "" }: { id?: string } = useParams({ strict: false });
  const [filters, change] = useFilters(["tab", "at", "version"]);
  const { trade } = useMay();
  const navigate = useNavigate();
  const one = useQuery({ queryKey: ["strategies", id, "loaded"], queryFn: () => take(api.GET("/api/strategies/{strategy_id}", { params: { path: { strategy_id: id } } })), retry: false });
  const remove = useWrite(() => take(api.DELETE("/api/strategies/{strategy_id}", { params: { path: { strategy_id: id } } })), {
    nouns: ["strategies"],
    done: () => {
      notifications.show({ message: words.removed(id) });
      void navigate({ to: "/strategies" });
    },
  });
  const toggle = useSwitch();
  const tabs = words.tabs;
  return (
    <>
      <Group justify="space-between" mb={8}>
        <h1 className="pagetitle" style={{ margin: 0 }}><Link to="/strategies">{words.title}</Link> / {id}</h1>
        {trade && (
          <Group gap={8}>
            {one.data && <Switch size="xs" label={words.on} checked={one.data.enabled} onChange={({ currentTarget }) => toggle.mutate({ id, enabled: currentTarget.checked })} />}
            <ConfirmButton size="compact-xs" color="red" action={words.removeWhat(id)} onConfirm={() => remove.mutate(undefined)}>{words.remove}</ConfirmButton>
          </Group>
        )}
      </Group>
      {one.data && <p className="dim" style={{ margin: "0 0 8px" }}>{one.data.name}. {one.data.description}</p>}
      <Tabs value={filters.tab || "edit"} onChange={(tab) => change({ tab: tab === "edit" ? null : tab })} keepMounted={false}>
        <Tabs.List mb={10}>
          {(["edit", "explain", "versions", "backtest"] as const).map((tab) => <Tabs.Tab key={tab} value={tab}>{tabs[tab]}</Tabs.Tab>)}
        </Tabs.List>
        <Tabs.Panel value="edit"><Editor key={id} id={id} /></Tabs.Panel>
        <Tabs.Panel value="explain"><Explain id={id} at={filters.at} onAt={(at) => change({ at })} /></Tabs.Panel>
        <Tabs.Panel value="versions"><Versions id={id} number={Number(filters.version) || null} onNumber={(version) => change({ version: String(version) })} /></Tabs.Panel>
        <Tabs.Panel value="backtest"><Backtests id={id} symbol={one.data?.symbol ?? one.data?.symbols[0] ?? null} /></Tabs.Panel>
      </Tabs>
    </>
  );
}

function Explain({ id, at, onAt }: { id: string; at: string; onAt: (at: string | null) => void }): ReactNode {
  const query = useQuery({
    queryKey: ["strategies", id, "explain", at],
    queryFn: () => take(api.GET("/api/strategies/{strategy_id}/explain", { params: { path: { strategy_id: id }, query: at ? { at } : {} } })),
  });
  return (
    <section className="card">
      <Group align="end" gap={8} mb={8}>
        <TextInput size="xs" type="datetime-local" label={words.at} value={at.slice(0, 16)} onChange={({ currentTarget }) => onAt(currentTarget.value ? `${currentTarget.value}:00Z` : null)} />
        <Button size="xs" variant="default" onClick={() => onAt(null)}>{words.now}</Button>
      </Group>
      <StateOf query={query} what={words.tabs.explain} height={240}>{(told) => <ExplanationView told={told} />}</StateOf>
    </section>
  );
}

function Versions({ id, number, onNumber }: { id: string; number: number | null; onNumber: (number: number) => void }): ReactNode {
  const list = useQuery({ queryKey: ["strategies", id, "versions"], queryFn: () => take(api.GET("/api/strategies/{strategy_id}/versions", { params: { path: { strategy_id: id } } })) });
  const source = useSource(id);
  const chosen = useQuery({
    queryKey: ["strategies", id, "versions", number],
    enabled: number !== null,
    queryFn: () => take(api.GET("/api/strategies/{strategy_id}/versions/{number}", { params: { path: { strategy_id: id, number: number ?? 0 } } })),
  });
  return (
    <div className="stack">
      <section className="card">
        <h2>{words.versions}</h2>
        <StateOf query={list} what={words.versions}>
          {({ versions }) => versions.map((one) => (
            <div key={one.version} className="row">
              <Button size="compact-xs" variant={one.version === number ? "filled" : "default"} onClick={() => onNumber(one.version)}>{words.version(one.version)}</Button>
              <span className="what">{one.action} <span className="dim">{words.by.toLowerCase()} {one.by}</span></span>
              <RelativeTime at={one.at} />
            </div>
          ))}
        </StateOf>
      </section>
      {number !== null && (
        <section className="card">
          <h2>{words.against(number)}</h2>
          <StateOf query={chosen} what={words.version(number)} height={200}>
            {({ text, etag }) => (etag === null ? <div className="dim">{words.noText}</div> : source.data ? <Suspense><Difference label={words.against(number)} before={text} after={source.data.text} /></Suspense> : null)}
          </StateOf>
        </section>
      )}
    </div>
  );
}
