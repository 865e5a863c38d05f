import { IconCalendarEvent, IconLayoutDashboard, IconListCheck, IconNews, type Icon } from "@tabler/icons-react";
import type { ComponentType } from "react";
import { calendar, dashboard, news, tasks } from "@/lib/strings";

/** One page of the console. */
export type PageEntry = {
  /** Its address; may hold `$id`. */
  path: string;
  label: string;
  icon: Icon;
  /** The letter after `g`. */
  key: string;
  /** Its own chunk: the module exports the component as `Page`. */
  load: () => Promise<{ Page: ComponentType }>;
  /** Shown to these roles only; to everybody where it is absent. */
  roles?: readonly string[];
  /** Reached from other pages, not from the rail. */
  hidden?: boolean;
};

/** Every page, in the order of the rail. A new page is a line here. */
export const PAGES: readonly PageEntry[] = [
  { path: "/", label: dashboard.title, icon: IconLayoutDashboard, key: "d", load: () => import("@/features/dashboard/Page") },
  { path: "/tasks", label: tasks.title, icon: IconListCheck, key: "t", load: () => import("@/features/tasks/Page") },
  { path: "/tasks/$id", label: tasks.one, icon: IconListCheck, key: "", load: () => import("@/features/tasks/Task"), hidden: true },
  { path: "/calendar", label: calendar.title, icon: IconCalendarEvent, key: "c", load: () => import("@/features/calendar/Page") },
  { path: "/news", label: news.title, icon: IconNews, key: "n", load: () => import("@/features/news/Page") },
];

/** What stands in the bar of a phone before "More", where it exists. */
export const ON_A_PHONE: readonly string[] = ["/", "/ideas", "/market", "/tasks"];
