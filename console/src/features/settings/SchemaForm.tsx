import { MultiSelect, NumberInput, Select, Switch, TagsInput, TextInput } from "@mantine/core";
import type { ReactNode } from "react";
import { at, put, type Field, type Part, type Values } from "./schema";
import { LastChange } from "./shared";
import type { Schemas } from "@/lib/api";
import { percent } from "@/lib/format";
import { settings as words } from "@/lib/strings";

/** The fields of a settings object, part by part: what each does, what it may be, who changed it last, and what is wrong with it. */
export function SchemaForm(props: {
  parts: readonly Part[];
  values: Values;
  change: (values: Values) => void;
  readOnly: boolean;
  wrong: (key: string) => string | undefined;
  last?: ReadonlyMap<string, Schemas["SettingsChange"]>;
}): ReactNode {
  const { parts, values, change, readOnly, wrong, last } = props;
  return parts.map((part) => {
    const there = part.key === "" || at(values, part.key) != null;
    return (
      <section key={part.key} className="card" style={{ marginBottom: 12 }}>
        <div style={{ display: "flex", justifyContent: "space-between", gap: 12 }}>
          <div><h3 style={{ margin: 0 }}>{part.name}</h3>{part.about && <div className="dim">{part.about}</div>}</div>
          {part.nullable && (
            <Switch size="xs" label={words.rulebook.part} checked={there} disabled={readOnly}
              onChange={(event) => change({ ...values, [part.key]: event.currentTarget.checked ? part.usual : null })} />
          )}
        </div>
        {there && part.fields.map((field) => (
          <div key={field.key} className="setting">
            <div>
              <label htmlFor={`set-${field.key}`}><b>{field.name}</b></label>
              {field.about && <div>{field.about}</div>}
              <div className="dim" id={`about-${field.key}`}>{field.range} <LastChange change={last?.get(field.key)} /></div>
            </div>
            <Control field={field} value={at(values, field.key)} set={(value) => change(put(values, field.key, value))} readOnly={readOnly} wrong={wrong(field.key)} />
          </div>
        ))}
      </section>
    );
  });
}

function Control({ field, value, set, readOnly, wrong }: { field: Field; value: unknown; set: (value: unknown) => void; readOnly: boolean; wrong: string | undefined }): ReactNode {
  const shared = { id: `set-${field.key}`, size: "xs", error: wrong, "aria-describedby": `about-${field.key}` } as const;
  const text = typeof value === "string" ? value : "";
  const list = Array.isArray(value) ? value.map(String) : [];
  switch (field.kind) {
    case "boolean":
      return <Switch {...shared} checked={value === true} disabled={readOnly} onChange={(event) => set(event.currentTarget.checked)} />;
    case "choice":
      return <Select {...shared} data={field.options} value={text || null} readOnly={readOnly} clearable={field.nullable} allowDeselect={false} onChange={set} />;
    case "choices":
      return <MultiSelect {...shared} data={field.options} value={list} readOnly={readOnly} onChange={set} />;
    case "texts":
      return <TagsInput {...shared} value={list} readOnly={readOnly} onChange={(found) => set(found.length === 0 && field.nullable ? null : found)} />;
    case "text":
      return <TextInput {...shared} value={text} readOnly={readOnly} onChange={(event) => set(event.currentTarget.value === "" && field.nullable ? null : event.currentTarget.value)} />;
    default:
      return (
        <NumberInput {...shared} value={typeof value === "number" ? value : ""} readOnly={readOnly} hideControls clampBehavior="none" allowDecimal
          {...(field.share && typeof value === "number" ? { rightSection: <span className="dim num">{percent(value, 1)}</span>, rightSectionWidth: 62 } : {})}
          onChange={(found) => set(found === "" ? null : Number(found))} />
      );
  }
}
