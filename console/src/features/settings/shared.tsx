import { Alert } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { useCallback, useMemo, useState, type ReactNode } from "react";
import { RelativeTime } from "@/components/Numbers";
import { api, DeskError, take, type Schemas } from "@/lib/api";
import { useMay } from "@/lib/may";
import { settings as words } from "@/lib/strings";

/** An answer with its tag, to be given back with If-Match. */
export type Tagged<T> = { data: T; etag: string };
export async function tagged<T>(call: Promise<{ data?: T; response: Response }>): Promise<Tagged<T>> {
  const { data, response } = await call;
  return { data: data as T, etag: response.headers.get("ETag") ?? "*" };
}

/** The server's words by field, and those that belong to no field of the form. */
export function useWrong(names: readonly string[]): { of: (name: string) => string | undefined; set: (fields: Record<string, string>) => void; rest: ReactNode } {
  const [wrong, set] = useState<Record<string, string>>({});
  const owner = useCallback((key: string) => names.find((name) => key === name || key.endsWith(`.${name}`) || key.startsWith(`${name}.`)), [names]);
  const of = useCallback((name: string) => Object.entries(wrong).find(([key]) => owner(key) === name)?.[1], [wrong, owner]);
  const rest = Object.entries(wrong).filter(([key]) => owner(key) === undefined);
  return { of, set, rest: rest.length === 0 ? null : <Alert color="red" role="alert">{rest.map(([key, said]) => <div key={key}>{said}</div>)}</Alert> };
}

/** Codes that `ConflictNote` tells. */
export const CONFLICT = ["settings_changed"] as const;

/** Said where somebody else changed the file since it was read. */
export function ConflictNote({ error }: { error: unknown }): ReactNode {
  if (!(error instanceof DeskError) || error.code !== "settings_changed") return null;
  return <Alert color="yellow" title={words.conflict} role="alert">{error.message}. {words.conflictNow}</Alert>;
}

/** For whom may look but not change. */
export function ReadOnlyNote(): ReactNode {
  return useMay().own ? null : <p className="dim" style={{ marginTop: 0 }}>{words.ownerOnly}</p>;
}

export const useChanges = (file?: string) => useQuery({
  queryKey: ["settings", "changes", file ?? ""],
  queryFn: () => take(api.GET("/api/settings/changes", { params: { query: { limit: 500, ...(file ? { file } : {}) } } })),
});

type Change = Schemas["SettingsChange"];
const part = (value: unknown, key: string): unknown => (value !== null && typeof value === "object" ? (value as Record<string, unknown>)[key] : undefined);

/** Of each key ("max_positions", "daily_loss.limit") the newest change. */
export function useLastChanges(file: string): ReadonlyMap<string, Change> {
  const { data } = useChanges(file);
  return useMemo(() => {
    const found = new Map<string, Change>();
    for (const change of data?.items ?? []) {
      for (const [key, [before, after]] of Object.entries(change.changes)) {
        if (!found.has(key)) found.set(key, change);
        const inner = [before, after].flatMap((one) => (one !== null && typeof one === "object" && !Array.isArray(one) ? Object.keys(one) : []));
        for (const name of inner) {
          if (!found.has(`${key}.${name}`) && JSON.stringify(part(before, name)) !== JSON.stringify(part(after, name))) found.set(`${key}.${name}`, change);
        }
      }
    }
    return found;
  }, [data]);
}

export function LastChange({ change }: { change: Change | undefined }): ReactNode {
  if (!change) return null;
  return <span className="dim" title={change.reason}>{words.changedBy(change.by)} <RelativeTime at={change.at} wall /></span>;
}

/** A section's head: its name and one sentence. */
export function Head({ title, about, children }: { title: string; about?: string; children?: ReactNode }): ReactNode {
  return (
    <header style={{ display: "flex", flexWrap: "wrap", gap: "4px 16px", alignItems: "baseline", justifyContent: "space-between", marginBottom: 10 }}>
      <div><h2 style={{ margin: 0, fontSize: 15 }}>{title}</h2>{about && <div className="dim" style={{ maxWidth: 760 }}>{about}</div>}</div>
      {children}
    </header>
  );
}
