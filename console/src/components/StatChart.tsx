import { lazy, Suspense, type ReactNode } from "react";
import { Skeleton } from "@mantine/core";
import type { StatChartProps } from "./EChart";

const EChart = lazy(() => import("./EChart"));

/** A statistic's chart by ECharts, loaded when first shown. option: ECharts' own; label: what a screen reader says. */
export function StatChart(props: StatChartProps): ReactNode {
  return <Suspense fallback={<Skeleton height={props.height ?? 260} />}><EChart {...props} /></Suspense>;
}
