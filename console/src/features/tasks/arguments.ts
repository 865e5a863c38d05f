type Schema = {
  $ref?: string; anyOf?: Schema[]; type?: string; properties?: Record<string, Schema>; required?: string[]; enum?: string[];
  default?: unknown; description?: string; minimum?: number; maximum?: number; title?: string;
};
type Operation = { description?: string; requestBody?: { content: Record<string, { schema: Schema }> } };
export type Description = { paths: Record<string, { post?: Operation }>; components: { schemas: Record<string, Schema> } };

/** One argument of a task as the desk's own description of its API has it. */
export type Argument = {
  name: string; kind: "text" | "number" | "yes-no"; required: boolean; usual: unknown; says: string;
  least: number | undefined; most: number | undefined; words: readonly string[] | undefined;
};
export type Runnable = { path: string; name: string; group: string; says: string; arguments: readonly Argument[] };

const BASE = "/api/celery/tasks/";

function resolved(schema: Schema | undefined, all: Description["components"]["schemas"]): Schema {
  if (!schema) return {};
  if (schema.$ref) return resolved(all[schema.$ref.slice(schema.$ref.lastIndexOf("/") + 1)], all);
  const real = schema.anyOf?.find(({ type }) => type !== "null");
  return real ? { ...resolved(real, all), ...(schema.description ? { description: schema.description } : {}) } : schema;
}

/** Every task that has an endpoint to run it, with its arguments. */
export function runnables({ paths, components }: Description): Runnable[] {
  return Object.entries(paths).flatMap(([path, { post }]) => {
    if (!post || !path.startsWith(BASE) || path.includes("{")) return [];
    const [group = "", name = ""] = path.slice(BASE.length).split("/");
    const body = resolved(post.requestBody?.content["application/json"]?.schema, components.schemas);
    const found = Object.entries(body.properties ?? {}).map(([key, raw]): Argument => {
      const one = resolved(raw, components.schemas);
      return {
        name: key, kind: one.type === "integer" || one.type === "number" ? "number" : one.type === "boolean" ? "yes-no" : "text", required: body.required?.includes(key) ?? false,
        usual: one.default, says: one.description ?? "", least: one.minimum, most: one.maximum, words: one.enum,
      };
    });
    return [{ path, group, name, says: post.description ?? "", arguments: found }];
  });
}
