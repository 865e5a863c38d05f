import createClient, { type Middleware } from "openapi-fetch";
import type { components, paths } from "@/lib/api/schema";
import { common } from "@/lib/strings";

export type Schemas = components["schemas"];

/** What the desk said, or that it said nothing (status 0). */
export class DeskError extends Error {
  constructor(
    readonly status: number,
    readonly code: string,
    message: string,
    readonly details: Record<string, unknown> = {},
    readonly correlationId = "",
  ) {
    super(message);
    this.name = "DeskError";
  }

  /** The server's words by field, from `details.problems` (requests), `details.fields` (several), `details.field` (one) or `details.key` (settings). */
  get fields(): Record<string, string> {
    const found: Record<string, string> = {};
    const { problems, fields, field, key } = this.details;
    if (typeof field === "string") found[field] = this.message;
    if (Array.isArray(problems)) {
      for (const one of problems as { at?: unknown; reason?: unknown }[]) {
        if (typeof one.at === "string" && typeof one.reason === "string")
          found[one.at.replace(/^(body|query|path)\./, "")] = one.reason;
      }
    }
    if (fields !== null && typeof fields === "object") {
      for (const [name, reason] of Object.entries(fields)) if (typeof reason === "string") found[name] = reason;
    }
    if (typeof key === "string" && key !== "" && Object.keys(found).length === 0) found[key] = this.message;
    return found;
  }
}

/** A desk error from any answer that is not a success. */
export function deskError(status: number, body: unknown): DeskError {
  const error = (body as { error?: Partial<Schemas["ErrorDetail"]> } | null | undefined)?.error;
  if (!error?.message) return new DeskError(status, "unreadable_answer", `The desk answered ${status} without saying why`);
  return new DeskError(status, error.code ?? "unknown", error.message, error.details ?? {}, error.correlation_id ?? "");
}

type Listener = () => void;
let signedOut: Listener = () => undefined;
/** Called when the desk says that nobody is signed in any more. */
export function onSignedOut(listener: Listener): void {
  signedOut = listener;
}

let renewing: Promise<boolean> | null = null;
/** One renewal at a time, over all tabs where the browser can: a refresh secret that is used twice ends the session. */
export function renew(): Promise<boolean> {
  const ask = async (): Promise<boolean> => {
    const answer = await fetch("/api/session/refresh", { method: "POST" });
    return answer.ok || deskError(answer.status, await answer.json().catch(() => null)).code === "just_renewed";
  };
  const locks = navigator.locks as LockManager | undefined; // there only where the page comes over https or loopback
  const asked = (renewing ??= (locks ? locks.request("mt5ui-renew", ask) : ask())
    .then((done) => done)
    .catch(() => false)
    .finally(() => {
      renewing = null;
    }));
  return asked;
}

async function send(request: Request): Promise<Response> {
  const spare = request.clone();
  try {
    const answer = await fetch(request);
    if (answer.status !== 401 || new URL(request.url).pathname.startsWith("/api/session")) return answer;
    if (await renew()) return await fetch(spare);
    signedOut();
    return answer;
  } catch (error) {
    if (request.signal.aborted) throw error;
    throw new DeskError(0, "no_answer", common.noAnswer);
  }
}

const refused: Middleware = {
  async onResponse({ response }) {
    if (response.ok) return undefined;
    throw deskError(response.status, await response.json().catch(() => null));
  },
};

/** The desk's API. Every call throws a DeskError where the answer is not a success. */
export const api = createClient<paths>({ baseUrl: (globalThis as { location?: Location }).location?.origin ?? "http://desk", fetch: send });
api.use(refused);

/** The data of an answer: `await take(api.GET("/api/account"))`. */
export async function take<T>(call: Promise<{ data?: T }>): Promise<T> {
  return (await call).data as T;
}

/** A header that makes a write that is sent twice happen once: make it when the form opens. */
export function idempotencyKey(): string {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");
}
