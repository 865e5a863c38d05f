import { IconAdjustmentsHorizontal, IconArrowsExchange, IconBulb, IconCalendarEvent, IconChartCandle, IconChecklist, IconFlask, IconGavel, IconLayoutDashboard, IconListCheck, IconNews, IconNotebook, type Icon } from "@tabler/icons-react";
import type { ComponentType } from "react";
import { calendar, dashboard, decisions, ideas, journal, market, news, positions, research, settings, strategies, tasks } from "@/lib/strings";

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
  { path: "/ideas", label: ideas.title, icon: IconBulb, key: "i", load: () => import("@/features/ideas/Page") },
  { path: "/ideas/$id", label: ideas.title, icon: IconBulb, key: "", load: () => import("@/features/ideas/Page"), hidden: true },
  { path: "/positions", label: positions.title, icon: IconArrowsExchange, key: "p", load: () => import("@/features/positions/Page") },
  { path: "/market", label: market.title, icon: IconChartCandle, key: "m", load: () => import("@/features/market/Page") },
  { path: "/market/$symbol", label: market.title, icon: IconChartCandle, key: "", load: () => import("@/features/market/Page"), hidden: true },
  { path: "/strategies", label: strategies.title, icon: IconChecklist, key: "s", load: () => import("@/features/strategies/Page") },
  { path: "/strategies/$id", label: strategies.title, icon: IconChecklist, key: "", load: () => import("@/features/strategies/Strategy"), hidden: true },
  { path: "/research", label: research.title, icon: IconFlask, key: "r", load: () => import("@/features/research/Page") },
  { path: "/research/compare", label: research.compareTitle, icon: IconFlask, key: "", load: () => import("@/features/research/Compare"), hidden: true },
  { path: "/research/$id", label: research.one, icon: IconFlask, key: "", load: () => import("@/features/research/Report"), hidden: true },
  { path: "/decisions", label: decisions.title, icon: IconGavel, key: "e", load: () => import("@/features/decisions/Page") },
  { path: "/decisions/$id", label: decisions.one, icon: IconGavel, key: "", load: () => import("@/features/decisions/One"), hidden: true },
  { path: "/tasks", label: tasks.title, icon: IconListCheck, key: "t", load: () => import("@/features/tasks/Page") },
  { path: "/tasks/$id", label: tasks.one, icon: IconListCheck, key: "", load: () => import("@/features/tasks/Task"), hidden: true },
  { path: "/calendar", label: calendar.title, icon: IconCalendarEvent, key: "c", load: () => import("@/features/calendar/Page") },
  { path: "/news", label: news.title, icon: IconNews, key: "n", load: () => import("@/features/news/Page") },
  { path: "/journal", label: journal.title, icon: IconNotebook, key: "j", load: () => import("@/features/journal/Page") },
  { path: "/settings", label: settings.title, icon: IconAdjustmentsHorizontal, key: ",", load: () => import("@/features/settings/Page") },
  { path: "/settings/$section", label: settings.title, icon: IconAdjustmentsHorizontal, key: "", load: () => import("@/features/settings/Page"), hidden: true },
];

/** What stands in the bar of a phone before "More", where it exists. */
export const ON_A_PHONE: readonly string[] = ["/", "/ideas", "/market", "/tasks"];
