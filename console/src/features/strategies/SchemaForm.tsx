import { ActionIcon, Autocomplete, Button, Fieldset, MultiSelect, NumberInput, Select, Switch, TagsInput, TextInput } from "@mantine/core";
import { IconX } from "@tabler/icons-react";
import type { ReactNode } from "react";
import type { Json } from "./json";
import { strategies as words } from "@/lib/strings";

export type Schema = {
  $ref?: string; $defs?: Record<string, Schema>; type?: string; anyOf?: Schema[]; enum?: string[]; description?: string; properties?: Record<string, Schema>;
  required?: string[]; items?: Schema; default?: Json; minimum?: number; maximum?: number;
};
type Path = readonly (string | number)[];
type Change = (path: Path, value: Json | undefined) => void;
type Shared = { root: Schema; errors: Readonly<Record<string, string>>; facts: readonly string[]; change: Change };

const KEPT_BY_THE_DESK = ["id", "created_at", "updated_at", "created_by"];
const CONDITION = "#/$defs/Condition";

function resolved(root: Schema, schema: Schema): Schema {
  const chosen = schema.anyOf?.find(({ type }) => type !== "null") ?? schema;
  const found = chosen.$ref ? root.$defs?.[chosen.$ref.split("/").at(-1) ?? ""] : chosen;
  return { ...found, ...(schema.description ? { description: schema.description } : {}), ...(schema.default === undefined ? {} : { default: schema.default }) };
}

const named = (key: string): string => key.replaceAll("_", " ").replace(/^./, (first) => first.toUpperCase());
const pointer = (path: Path): string => path.map((part) => `/${part}`).join("");

/** The fields of an object of the schema; what is not set shows the default. */
export function SchemaForm(props: Shared & { schema: Schema; value: Json | undefined; path?: Path }): ReactNode {
  const { schema, value, path = [], ...shared } = props;
  const object = value !== null && typeof value === "object" && !Array.isArray(value) ? value : {};
  return Object.entries(schema.properties ?? {})
    .filter(([key]) => path.length > 0 || !KEPT_BY_THE_DESK.includes(key))
    .map(([key, one]) => <Field key={key} {...shared} name={key} schema={one} value={object[key]} path={[...path, key]} required={schema.required?.includes(key) ?? false} />);
}

function Field(props: Shared & { name: string; schema: Schema; value: Json | undefined; path: Path; required: boolean }): ReactNode {
  const { name, schema: raw, value, path, required, ...shared } = props;
  const { root, errors, change, facts } = shared;
  const schema = resolved(root, raw);
  const label = named(name);
  const set = (wanted: Json | undefined): void => change(path, wanted);
  const usual = schema.default;
  const common = { size: "xs", mb: 6, label, description: schema.description, error: errors[pointer(path)], withAsterisk: required } as const;
  const hint = usual === null || usual === undefined ? words.missing : typeof usual === "object" ? "" : String(usual);
  if (schema.type === "object") return <Fieldset legend={label} mb={10} p={8}><SchemaForm {...shared} schema={schema} value={value} path={path} /></Fieldset>;
  if (schema.type === "boolean") return <Switch {...common} checked={typeof value === "boolean" ? value : usual === true} onChange={({ currentTarget }) => set(currentTarget.checked)} />;
  if (schema.enum) return <Select {...common} data={schema.enum} value={typeof value === "string" ? value : null} placeholder={hint} clearable={!required} onChange={(one) => set(one ?? undefined)} />;
  if (schema.type === "number" || schema.type === "integer")
    return (
      <NumberInput {...common} value={typeof value === "number" ? value : ""} placeholder={hint} allowDecimal={schema.type === "number"} {...(schema.minimum === undefined ? {} : { min: schema.minimum })} {...(schema.maximum === undefined ? {} : { max: schema.maximum })} clampBehavior="none" step={schema.type === "number" ? 0.1 : 1}
        onChange={(one) => set(one === "" ? undefined : typeof one === "number" ? one : Number.isFinite(Number(one)) ? Number(one) : undefined)} />
    );
  if (schema.type === "array") {
    const list = Array.isArray(value) ? value : Array.isArray(usual) ? usual : [];
    const texts = list.filter((one): one is string => typeof one === "string");
    if (raw.items?.$ref === CONDITION || schema.items?.$ref === CONDITION)
      return (
        <div role="group" aria-label={label} style={{ marginBottom: 8 }}>
          <div style={{ fontSize: 12, fontWeight: 500 }}>{label}{required && <span className="danger"> *</span>} <span className="dim" style={{ fontWeight: 400 }}>{schema.description}</span></div>
          {errors[pointer(path)] && <div className="danger">{errors[pointer(path)]}</div>}
          {texts.map((text, index) => (
            <div key={index} style={{ display: "flex", gap: 4, marginTop: 4 }}>
              <Autocomplete size="xs" style={{ flex: 1 }} aria-label={`${label} ${index + 1}`} data={[...facts]} limit={12} value={text} error={errors[pointer([...path, index])]} onChange={(one) => change([...path, index], one)} />
              <ActionIcon variant="subtle" color="gray" aria-label={words.takeOut(text)} onClick={() => change([...path, index], undefined)}><IconX size={14} /></ActionIcon>
            </div>
          ))}
          <Button mt={4} size="compact-xs" variant="default" onClick={() => set([...texts, ""])}>{words.addTo(label.toLowerCase())}</Button>
        </div>
      );
    const options = schema.items ? resolved(root, schema.items).enum : undefined;
    return options ? <MultiSelect {...common} data={options} value={texts} onChange={set} /> : <TagsInput {...common} value={texts} onChange={set} />;
  }
  return <TextInput {...common} value={typeof value === "string" ? value : ""} placeholder={hint} onChange={({ currentTarget }) => set(currentTarget.value === "" ? undefined : currentTarget.value)} />;
}
