import { useEffect } from "react";
import type { PageEntry } from "@/app/pages";

const typing = (target: EventTarget | null): boolean =>
  target instanceof HTMLElement && (target.isContentEditable || /^(INPUT|TEXTAREA|SELECT)$/.test(target.tagName));

/** `g` and a letter goes to a page, `/` to the search of the page, `?` shows the list. */
export function useKeys(pages: readonly PageEntry[], go: (path: string) => void, help: () => void): void {
  useEffect(() => {
    let waiting = 0;
    const pressed = (event: KeyboardEvent): void => {
      if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey || typing(event.target)) return;
      if (document.querySelector('[role="dialog"]') !== null && event.key !== "?") return;
      if (waiting > event.timeStamp) {
        waiting = 0;
        const page = pages.find(({ key }) => key === event.key);
        if (page) go(page.path);
      } else if (event.key === "g") waiting = event.timeStamp + 1500;
      else if (event.key === "?") help();
      else if (event.key === "/") {
        event.preventDefault();
        document.querySelector<HTMLElement>("main [type=search]")?.focus();
      }
    };
    document.addEventListener("keydown", pressed);
    return () => document.removeEventListener("keydown", pressed);
  }, [pages, go, help]);
}
