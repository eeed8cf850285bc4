// What a form needs to know of a JSON Schema, as the service writes them: references, values that may be null, and objects that
// one of their fields tells apart.

/** A schema without references and without null: { schema, nullable }. */
export function plain(schema, root) {
  let { $ref: reference, ...own } = schema ?? {};
  let found = own;
  if (reference) {
    const inner = plain(root[reference.split("/").pop()], root);
    return { schema: { ...inner.schema, ...own }, nullable: inner.nullable };
  }
  const choices = own.anyOf ?? (own.discriminator || !own.oneOf || tagOf(own.oneOf) ? null : own.oneOf);
  if (!choices) return { schema: found, nullable: own.type === "null" };
  const { anyOf: _any, oneOf: _one, ...about } = own;
  const inner = choices.map((each) => plain(each, root));
  const left = inner.filter((each) => each.schema.type !== "null").map((each) => each.schema);
  const nullable = inner.some((each) => each.nullable || each.schema.type === "null");
  found = left.length === 1 ? { ...left[0], ...about } : { ...about, choices: left.flatMap((each) => each.choices ?? [each]) };
  return { schema: found, nullable };
}

/** The kinds of an object that its field `tag` tells apart: { tag, kinds: [{ name, schema }] }; null for other schemas. */
export function variants(schema, root) {
  const members = schema.oneOf?.map((each) => plain(each, root).schema);
  const tag = members && tagOf(members);
  return tag ? { tag, kinds: members.map((each) => ({ name: each.properties[tag].const, schema: each })) } : null;
}

/** The field that has another constant in each of the schemas: "kind" or "name". */
function tagOf(members) {
  return ["kind", "name"].find((each) => members.every((one) => one.properties?.[each]?.const !== undefined || one.$ref)) ?? null;
}

/** What may be chosen, where a schema lists that; null for others. */
export function options(schema) {
  if (schema.enum) return schema.enum;
  if (schema.const !== undefined) return [schema.const];
  if (schema.choices?.every((each) => each.enum)) return schema.choices.flatMap((each) => each.enum);
  return null;
}

/** Whether a value of this type is possible. */
export function allows(schema, ...types) {
  return (schema.choices ?? [schema]).some((each) => types.includes(each.type));
}

/** The value that a reader has typed. What is no such value stays the text, which the service then refuses at its place. */
export function typed(text, schema) {
  const cut = text.trim();
  if (cut === "") return undefined;
  if (allows(schema, "array", "object") && /^[[{]/.test(cut)) {
    try {
      return JSON.parse(cut);
    } catch {
      return text;
    }
  }
  if (allows(schema, "array") && (cut.includes(",") || !allows(schema, "number", "integer", "string"))) {
    return cut.replace(/,$/, "").split(",").map((each) => scalar(each.trim()));
  }
  if (allows(schema, "number", "integer")) return scalar(cut);
  return text;
}

function scalar(text) {
  if (text === "null") return null;
  return /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(text) ? Number(text) : text;
}

/** A value as it is typed. */
export function written(value) {
  if (value === undefined || value === null) return "";
  if (Array.isArray(value) && value.every((each) => each === null || typeof each !== "object")) return value.join(", ");
  return typeof value === "object" ? JSON.stringify(value) : String(value);
}

const SPELLED = { lr: "Learning rate (lr)", url: "URL", ema: "Moving average of the weights (ema)" };

/** The name of a field for people: "batch_size" is "Batch size". */
export function label(name) {
  const words = name.replaceAll("_", " ");
  return SPELLED[name] ?? words[0].toUpperCase() + words.slice(1);
}
