import { IconChartCandle, IconChecklist, IconLayoutDashboard, type Icon } from "@tabler/icons-react";
import type { ComponentType } from "react";
import { dashboard, market, strategies } from "@/lib/strings";

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
  { path: "/market", label: market.title, icon: IconChartCandle, key: "m", load: () => import("@/features/market/Page") },
  { path: "/market/$symbol", label: market.title, icon: IconChartCandle, key: "", load: () => import("@/features/market/Page"), hidden: true },
  { path: "/strategies", label: strategies.title, icon: IconChecklist, key: "s", load: () => import("@/features/strategies/Page") },
  { path: "/strategies/$id", label: strategies.title, icon: IconChecklist, key: "", load: () => import("@/features/strategies/Strategy"), hidden: true },
];

/** What stands in the bar of a phone before "More", where it exists. */
export const ON_A_PHONE: readonly string[] = ["/", "/ideas", "/market", "/tasks"];
