// The form of a spec, drawn from its JSON Schema: one component for each form of a value, all with { name, schema, value, set,
// pointer }. `set(undefined)` takes a value out of the spec: then the service's default holds, which the field shows.
import { createContext, html, useContext, useId } from "../vendor/preact.js";
import { at, member } from "../core/pointer.js";
import { allows, label, options, plain, typed, variants, written } from "../core/schema.js";
import { Field } from "../parts/field.js";

/** { root, resolved, errors, columns, schedulers }: the parts of the schema, the spec with all defaults, errors by pointer. */
export const Form = createContext(null);

const COLUMN_FIELDS = ["stratify", "group", "time", "column"];
const MOST_OFFERED = 300; // names of columns

/** The input that fits a schema. */
export function Auto(props) {
  const { root, schedulers } = useContext(Form);
  const { schema, nullable } = plain(props.schema, root);
  const about = { ...props, schema, nullable };
  if (variants(schema, root)) return html`<${Variant} ...${about} />`;
  if (schema.type === "array") {
    const items = props.name === "schedulers" ? schedulers : plain(schema.items ?? {}, root).schema;
    if (variants(items, root)) return html`<${ListOf} ...${about} items=${items} />`;
  }
  if (schema.properties) return nullable ? html`<${Optional} ...${about} />` : html`<${Nested} ...${about} />`;
  if (schema.type === "boolean") return html`<${Choice} ...${about} choices=${[true, false]} />`;
  const listed = options(schema);
  if (listed && !schema.choices?.some((each) => !each.enum)) return html`<${Choice} ...${about} choices=${listed} />`;
  return html`<${Input} ...${about} />`;
}

/** The fields of an object, without those in `skip`; with `main`, only those are seen before the others are asked for. */
export function Group({ schema, value, set, pointer, skip = [], main }) {
  const { errors } = useContext(Form);
  const names = Object.keys(schema.properties).filter((each) => !skip.includes(each));
  const first = main?.filter((each) => names.includes(each)) ?? names;
  const others = names.filter((each) => !first.includes(each));
  const open = others.some((each) => value?.[each] !== undefined || errors[member(pointer, each)]);
  const change = (name, next) => {
    const { [name]: _, ...others } = value ?? {};
    const changed = next === undefined ? others : { ...(value ?? {}), [name]: next };
    set(Object.keys(changed).length ? changed : undefined);
  };
  const drawn = (name) => html`<${Auto}
    key=${name}
    name=${name}
    schema=${schema.properties[name]}
    value=${value?.[name]}
    set=${(next) => change(name, next)}
    pointer=${member(pointer, name)}
    required=${schema.required?.includes(name)}
  />`;
  return html`<div class="form-grid">${first.map(drawn)}</div>
    ${others.length > 0 &&
    html`<details open=${open}>
      <summary>More settings</summary>
      <div class="form-grid">${others.map(drawn)}</div>
    </details>`}`;
}

/** An object that one field tells apart from others: a choice of that, and the fields of what is chosen. */
export function Variant({ name, schema, value, set, pointer, title, nullable, fixed = false }) {
  const { root, resolved, errors } = useContext(Form);
  const { tag, kinds } = variants(schema, root);
  const usual = at(resolved, pointer)?.[tag];
  const chosen = value?.[tag] ?? usual;
  const kind = kinds.find((each) => each.name === chosen);
  const own = value?.[tag] !== undefined;
  const choose = (event) => set(event.target.value === "" ? undefined : { [tag]: event.target.value });
  return html`<div class="across">
    ${!fixed &&
    html`<${Field} label=${title ?? label(name)} error=${errors[pointer] ?? errors[member(pointer, tag)]} hint=${kind && sentence(kind.schema.description)}>
      ${(about) =>
        html`<select ...${about} data-pointer=${member(pointer, tag)} value=${own ? value[tag] : ""} onChange=${choose}>
          <option value="">${usual && !own ? `default: ${usual}` : nullable && !usual ? "none" : "default"}</option>
          ${kinds.map((each) => html`<option value=${each.name}>${each.name}</option>`)}
        </select>`}
    <//>`}
    ${kind &&
    html`<${Group}
      key=${chosen}
      schema=${kind.schema}
      value=${value}
      set=${(next) => set(next === undefined ? undefined : { [tag]: chosen, ...next })}
      pointer=${pointer}
      skip=${[tag]}
    />`}
  </div>`;
}

/** A list of such objects, as the layers of a network. */
function ListOf({ name, items, value, set, pointer }) {
  const { root, errors } = useContext(Form);
  const { tag, kinds } = variants(items, root);
  const list = Array.isArray(value) ? value : [];
  const put = (index, next) => set(list.map((each, at) => (at === index ? next : each)));
  const move = (index) => set([...list.slice(0, index - 1), list[index], list[index - 1], ...list.slice(index + 1)]);
  return html`<div class="across nested">
    <h3>${label(name)}</h3>
    ${errors[pointer] && html`<p class="failure">${errors[pointer]}</p>`}
    ${list.map(
      (each, index) => html`<fieldset>
        <legend>${index + 1}</legend>
        <${Variant}
          name=${tag}
          title=${`Kind of ${index + 1}`}
          schema=${items}
          value=${each}
          set=${(next) => next !== undefined && put(index, next)}
          pointer=${member(pointer, index)}
        />
        <div class="actions">
          <button type="button" disabled=${index === 0} onClick=${() => move(index)}>Move up</button>
          <button type="button" onClick=${() => set(list.filter((_, at) => at !== index))}>Remove</button>
        </div>
      </fieldset>`,
    )}
    <button type="button" onClick=${() => set([...list, { [tag]: kinds[0].name }])}>Add one</button>
  </div>`;
}

/** An object that may be absent: off, as the service decides, or with values of its own. */
function Optional({ name, schema, value, set, pointer }) {
  const { resolved, errors } = useContext(Form);
  const usual = at(resolved, pointer);
  const mode = value === undefined ? "" : value === null ? "off" : "on";
  const choose = (event) => set({ "": undefined, off: null, on: {} }[event.target.value]);
  return html`<div class="across nested">
    <${Field} label=${label(name)} hint=${sentence(schema.description)} error=${errors[pointer]}>
      ${(about) =>
        html`<select ...${about} data-pointer=${pointer} value=${mode} onChange=${choose}>
          <option value="">${mode !== "" || usual === undefined ? "default" : `default: ${usual ? "on" : "off"}`}</option>
          <option value="on">on</option>
          <option value="off">off</option>
        </select>`}
    <//>
    ${mode === "on" && html`<${Group} schema=${schema} value=${value} set=${(next) => set(next ?? {})} pointer=${pointer} />`}
  </div>`;
}

function Nested({ name, schema, value, set, pointer }) {
  return html`<div class="across nested"><p class="group-label">${label(name)}</p><${Group} schema=${schema} value=${value} set=${set} pointer=${pointer} /></div>`;
}

function Choice({ name, schema, value, set, pointer, choices, required }) {
  const { resolved, errors } = useContext(Form);
  const usual = at(resolved, pointer) ?? schema.default;
  const say = (each) => (each === true ? "yes" : each === false ? "no" : String(each));
  const chosen = value === undefined || value === null ? "" : String(choices.findIndex((each) => each === value));
  const choose = (event) => set(event.target.value === "" ? undefined : choices[Number(event.target.value)]);
  const hint = usual === undefined || usual === null ? (required ? "choose one" : "default") : `default: ${say(usual)}`;
  return html`<${Field} label=${label(name)} hint=${sentence(schema.description)} error=${errors[pointer]}>
    ${(about) =>
      html`<select ...${about} data-pointer=${pointer} value=${chosen} onChange=${choose}>
        <option value="">${chosen === "" ? hint : "default"}</option>
        ${choices.map((each, index) => html`<option value=${String(index)}>${say(each)}</option>`)}
      </select>`}
  <//>`;
}

function Input({ name, schema, value, set, pointer, required }) {
  const { resolved, errors, columns } = useContext(Form);
  const list = useId();
  const usual = at(resolved, pointer) ?? schema.default;
  const ofColumn = COLUMN_FIELDS.includes(name) && columns.length > 0;
  const long = schema.maxLength >= 1000;
  const about = {
    "data-pointer": pointer,
    placeholder: usual === undefined || usual === null ? (required ? "needed" : "") : written(usual),
    autocomplete: "off",
    spellcheck: long,
  };
  const change = (event) => set(typed(event.target.value, schema));
  const shape = allows(schema, "array") ? "numbers with commas between them" : allows(schema, "object") ? 'as JSON, such as {"yes": 2}' : "";
  return html`<${Field} label=${label(name)} hint=${sentence(schema.description) || shape || undefined} error=${errors[pointer] ?? below(errors, pointer)}>
    ${(given) =>
      long && !schema.pattern && name === "notes"
        ? html`<textarea ...${given} ...${about} rows="3" value=${written(value)} onInput=${change}></textarea>`
        : html`<${Typed} about=${{ ...given, ...about, list: ofColumn ? list : undefined }} value=${value} schema=${schema} set=${set} />
            ${ofColumn && html`<datalist id=${list}>${columns.slice(0, MOST_OFFERED).map((each) => html`<option value=${each.name}></option>`)}</datalist>`}`}
  <//>`;
}

/** A line of text that is kept as it is typed while it means the value: "0.10" on the way to "0.105". */
function Typed({ about, value, schema, set }) {
  const change = (event) => set(typed(event.target.value, schema));
  const keep = (element) => {
    if (!element) return;
    const meant = JSON.stringify(typed(element.value, schema) ?? null) === JSON.stringify(value ?? null);
    if (!meant) element.value = written(value);
  };
  return html`<input ...${about} ref=${keep} onInput=${change} />`;
}

function below(errors, pointer) {
  return Object.entries(errors).find(([each]) => each.startsWith(`${pointer}/`))?.[1];
}

/** The first sentence of a description. */
export function sentence(text) {
  if (!text || text.startsWith("torch's torch.")) return undefined;
  return text.replace(/\s+/g, " ").split(/(?<=\.) (?=[A-Z])/)[0];
}
