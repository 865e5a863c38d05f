/** Words of the chart on which levels are dragged. */
export const levels = {
  chart: (symbol: string, timeframe: string): string => `${symbol} ${timeframe} with entry, stop and target`,
  entry: "entry",
  stop: "stop",
  target: "target",
  bars: "Bars",
  none: (reason: string): string => `No chart: ${reason}`,
} as const;
