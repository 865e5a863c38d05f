import { SegmentedControl, useMantineColorScheme } from "@mantine/core";
import type { ReactNode } from "react";
import { Head } from "./shared";
import { Moment, Money } from "@/components/Numbers";
import { setPrefs, usePrefs, type Prefs } from "@/lib/prefs";
import { settings } from "@/lib/strings";

const words = settings.appearance;

/** How this browser shows the desk. */
export function Appearance(): ReactNode {
  const { colorScheme, setColorScheme } = useMantineColorScheme();
  const prefs = usePrefs();
  const row = (label: string, value: string, set: (value: string) => void, data: { value: string; label: string }[], about = ""): ReactNode => (
    <div className="setting">
      <div><b>{label}</b>{about && <div className="dim">{about}</div>}</div>
      <SegmentedControl size="xs" fullWidth aria-label={label} value={value} onChange={set} data={data} />
    </div>
  );
  return (
    <>
      <Head title={settings.sections.appearance} about={words.about} />
      <section className="card">
        {row(words.theme, colorScheme === "light" ? "light" : "dark", (value) => setColorScheme(value as "dark" | "light"), [{ value: "dark", label: words.dark }, { value: "light", label: words.light }])}
        {row(words.density, prefs.density, (density) => setPrefs({ density } as Partial<Prefs>), [{ value: "dense", label: words.dense }, { value: "normal", label: words.normal }])}
        {row(words.colours, prefs.pair, (pair) => setPrefs({ pair } as Partial<Prefs>), [{ value: "blue-orange", label: words.blueOrange }, { value: "green-red", label: words.greenRed }])}
        {row(words.clock, prefs.clock, (clock) => setPrefs({ clock } as Partial<Prefs>),
          [{ value: "broker", label: words.broker }, { value: "local", label: words.local }, { value: "utc", label: words.utc }], words.clockHint)}
      </section>
      <section className="card" style={{ marginTop: 12 }}>
        <h2>{words.sample}</h2>
        <div className="row"><span className="what">{words.profit}</span><Money value={1234.5} currency="USD" /></div>
        <div className="row"><span className="what">{words.loss}</span><Money value={-87.2} currency="USD" /></div>
        <div className="row"><span className="what">{words.clock}</span><Moment at="2014-05-07T12:30:00Z" /></div>
      </section>
    </>
  );
}
