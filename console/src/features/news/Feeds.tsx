import type { ReactNode } from "react";
import { RelativeTime } from "@/components/Numbers";
import type { Schemas } from "@/lib/api";
import { news as words } from "@/lib/strings";

const LOOK: Record<Schemas["Feed"]["status"], readonly [string, string]> = { ok: ["up", "●"], failed: ["danger", "▲"], waiting: ["warn", "◷"], never: ["dim", "○"], off: ["dim", "○"] };

/** How each feed does: its age, its newest article, its last failure and why. */
export function Feeds({ news, chosen, pick }: { news: Schemas["News"]; chosen: string; pick: (name: string | null) => void }): ReactNode {
  return (
    <>
      {news.feeds === null && <div className="danger" role="alert">{words.noFeeds}</div>}
      {news.problems.map((problem) => <div key={problem} className="row warn"><span className="what">{words.problem}: {problem}</span></div>)}
      {news.feeds?.map((feed) => {
        const [look, mark] = LOOK[feed.status];
        return (
          <div key={feed.name} className="row">
            <span className={look} aria-hidden>{mark}</span>
            <span className="what">
              <button type="button" className="link" aria-pressed={chosen === feed.name} onClick={() => pick(chosen === feed.name ? null : feed.name)}>{feed.name}</button>{" "}
              <span className={feed.status === "ok" ? "dim" : look}>{words.status[feed.status]}</span>
              {feed.failed_at && feed.enabled && (
                <div className={feed.failures > 0 ? "warn" : "dim"}>
                  {words.lastFailure} <RelativeTime wall at={feed.failed_at} />{feed.failures > 0 && `, ${words.failed(feed.failures)}`}: {feed.reason}
                </div>
              )}
              {feed.waiting_until && <div className="warn">{words.waiting} <RelativeTime wall at={feed.waiting_until} /></div>}
            </span>
            <span className="dim" style={{ textAlign: "right" }}>
              {feed.answered_at ? <>{words.answered} <RelativeTime wall at={feed.answered_at} /></> : feed.enabled ? words.neverAnswered : ""}
              {feed.newest_at && <div>{words.newest} <RelativeTime wall at={feed.newest_at} /></div>}
            </span>
          </div>
        );
      })}
    </>
  );
}
