import type { IPrimitivePaneRenderer, IPrimitivePaneView, ISeriesPrimitive, SeriesAttachedParameter, UTCTimestamp } from "lightweight-charts";

export type Band = { from: UTCTimestamp; to: UTCTimestamp; colour: string };

/** Spans of time behind the candles, each from the first to the last bar that lies in it. */
export class BandsPrimitive implements ISeriesPrimitive, IPrimitivePaneView {
  private bands: readonly Band[] = [];
  private chart: SeriesAttachedParameter["chart"] | null = null;
  private redraw: () => void = () => undefined;

  attached({ chart, requestUpdate }: SeriesAttachedParameter): void {
    this.chart = chart;
    this.redraw = requestUpdate;
  }

  detached(): void {
    this.chart = null;
  }

  show(bands: readonly Band[]): void {
    this.bands = bands;
    this.redraw();
  }

  paneViews(): readonly IPrimitivePaneView[] {
    return [this];
  }

  zOrder(): "bottom" {
    return "bottom";
  }

  renderer(): IPrimitivePaneRenderer | null {
    const scale = this.chart?.timeScale();
    if (!scale) return null;
    const spans = this.bands.map(({ from, to, colour }) => {
      const [left, right] = [from, to].map((at) => {
        const index = scale.timeToIndex(at, true);
        return index === null ? null : scale.logicalToCoordinate(index as unknown as Parameters<typeof scale.logicalToCoordinate>[0]);
      });
      return { left, right, colour };
    });
    return {
      draw: (target) =>
        target.useMediaCoordinateSpace(({ context, mediaSize }) => {
          for (const { left, right, colour } of spans) {
            if (left == null || right == null) continue;
            context.fillStyle = colour;
            context.fillRect(left, 0, Math.max(1, right - left), mediaSize.height);
          }
        }),
    };
  }
}
