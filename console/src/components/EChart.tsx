import { useMantineColorScheme } from "@mantine/core";
import { BarChart, CustomChart, HeatmapChart, LineChart, ScatterChart } from "echarts/charts";
import {
  CalendarComponent, DataZoomComponent, GridComponent, LegendComponent, MarkAreaComponent, MarkLineComponent, TooltipComponent, VisualMapComponent,
} from "echarts/components";
import { init, use as register, type EChartsCoreOption, type EChartsType } from "echarts/core";
import { CanvasRenderer } from "echarts/renderers";
import { useEffect, useRef, type ReactNode } from "react";
import { usePrefs } from "@/lib/prefs";

register([
  BarChart, CustomChart, HeatmapChart, LineChart, ScatterChart, CalendarComponent, DataZoomComponent, GridComponent, LegendComponent,
  MarkAreaComponent, MarkLineComponent, TooltipComponent, VisualMapComponent, CanvasRenderer,
]);

export type StatChartProps = { label: string; option: EChartsCoreOption; height?: number };

/** Tooltips are drawn on the canvas: as HTML they would need inline styles, which the page's policy forbids. */
export default function EChart({ label, option, height = 260 }: StatChartProps): ReactNode {
  const place = useRef<HTMLDivElement>(null);
  const chart = useRef<EChartsType | null>(null);
  const { colorScheme } = useMantineColorScheme();
  const { pair } = usePrefs();
  useEffect(() => {
    if (!place.current) return undefined;
    const made = init(place.current);
    chart.current = made;
    const watch = new ResizeObserver(() => made.resize());
    watch.observe(place.current);
    return () => {
      watch.disconnect();
      made.dispose();
    };
  }, []);
  useEffect(() => {
    const style = getComputedStyle(document.documentElement);
    const of = (name: string): string => style.getPropertyValue(name).trim();
    const { tooltip } = option as { tooltip?: object };
    chart.current?.setOption(
      {
        animation: false, color: [of("--up"), of("--down"), of("--warn"), of("--mantine-color-dimmed")], backgroundColor: "transparent",
        textStyle: { color: of("--mantine-color-dimmed") }, grid: { left: 56, right: 16, top: 24, bottom: 32 }, ...option,
        ...(tooltip ? { tooltip: { ...tooltip, renderMode: "richText" } } : {}),
      },
      { notMerge: true },
    );
  }, [option, colorScheme, pair]);
  return <div ref={place} role="img" aria-label={label} style={{ height }} />;
}
