// The form of a spec in sections. What the service's schema has and no section names comes last.
import { html, useContext } from "../vendor/preact.js";
import { at } from "../core/pointer.js";
import { plain, variants, written } from "../core/schema.js";
import { Features, Target } from "./train_columns.js";
import { Auto, Form, Group, Variant } from "./train_fields.js";

const FIRST = ["model_name", "effort", "notes", "license"];
const SECTIONS = ["model", "training", "loss", "optimizer", "scheduler", "split", "preprocessing"];
const OPEN = ["model", "training"];
const MAIN = { training: ["epochs", "batch_size", "max_seconds", "seed", "early_stopping"] };

/** `spec`: as it was written; `change(name, value)`: sets one of its fields. */
export function SpecForm({ schema, spec, change }) {
  const fields = schema.properties;
  const others = Object.keys(fields).filter((each) => ![...FIRST, "data", ...SECTIONS].includes(each));
  const about = (name) => ({ name, schema: fields[name], value: spec[name], set: (next) => change(name, next), pointer: `/${name}`, required: schema.required?.includes(name) });
  return html`<section class="sheet">
      <${Auto} ...${about("model_name")} />
      ${fields.effort && html`<${Auto} ...${about("effort")} />`}
      <details open=${["notes", "license"].some((each) => spec[each] !== undefined)}>
        <summary>Notes and license</summary>
        <${Auto} ...${about("notes")} />
        <${Auto} ...${about("license")} />
      </details>
    </section>
    <${Data} ...${about("data")} />
    ${SECTIONS.filter((each) => fields[each]).map((each) => html`<${Section} key=${each} ...${about(each)} open=${OPEN.includes(each)} />`)}
    <${Folded} title="More" names=${others} summary="">
      <div class="form-grid">${others.map((each) => html`<${Auto} key=${each} ...${about(each)} />`)}</div>
    <//>`;
}

function Section({ open, ...about }) {
  const { root, resolved } = useContext(Form);
  const { schema, nullable } = plain(about.schema, root);
  const shown = about.value ?? at(resolved, about.pointer);
  return html`<${Folded} title=${about.name} names=${[about.name]} summary=${summary(shown, schema, root)} open=${open}>
    ${variants(schema, root)
      ? html`<${Variant} ...${about} schema=${schema} nullable=${nullable} title="Kind" />`
      : html`<${Group} schema=${schema} value=${about.value} set=${about.set} pointer=${about.pointer} main=${MAIN[about.name]} />`}
  <//>`;
}

function Data({ schema, value, set, pointer }) {
  const { root } = useContext(Form);
  const { tag, kinds } = variants(plain(schema, root).schema, root);
  const kind = kinds.find((each) => each.name === value?.[tag]);
  if (!kind) return html`<section class="sheet"><h2>Data</h2><p class="quiet">The data are given in the JSON.</p></section>`;
  const put = (name, next) => {
    const { [name]: _, ...others } = value;
    set(next === undefined ? others : { ...value, [name]: next });
  };
  const table = kind.name !== "line";
  const fields = kind.schema.properties;
  const skip = [tag, "records", "dataset", "features", ...(table ? ["target"] : ["target", "task"])];
  return html`<${Folded} title="Data" names=${["data"]} summary=${value.dataset ?? (kind.name === "line" ? "the tutorial's line" : `${value.records?.length} records in the JSON`)} open>
    <div class="form-grid">
      ${table && fields.target && html`<${Target} value=${value.target} set=${(next) => put("target", next)} pointer=${`${pointer}/target`} />`}
      ${table && html`<${Features} value=${value.features} set=${(next) => put("features", next)} pointer=${`${pointer}/features`} target=${value.target} />`}
    </div>
    <${Group} schema=${kind.schema} value=${value} set=${(next) => set({ [tag]: kind.name, ...next })} pointer=${pointer} skip=${skip} />
  <//>`;
}

/** A part of the form that can be folded; how many errors are in it is always seen. */
function Folded({ title, names, summary: text, open = false, children }) {
  const { errors } = useContext(Form);
  const wrong = Object.keys(errors).filter((each) => names.includes(each.split("/")[1])).length;
  return html`<details class="sheet section" open=${open}>
    <summary>
      <h2>${title[0].toUpperCase() + title.slice(1)}</h2>
      <span class="quiet small">${text}</span>
      ${wrong > 0 && html`<span class="mark bad">${wrong === 1 ? "1 error" : `${wrong} errors`}</span>`}
    </summary>
    ${children}
  </details>`;
}

function summary(value, schema, root) {
  if (value === null || value === undefined) return "none";
  const tag = variants(schema, root)?.tag;
  const rest = Object.entries(value).filter(([name, each]) => name !== tag && each !== null && (typeof each !== "object" || Array.isArray(each)) && !(Array.isArray(each) && typeof each[0] === "object"));
  return [tag && value[tag], ...rest.slice(0, 4).map(([name, each]) => `${name.replaceAll("_", " ")} ${written(each)}`)].filter(Boolean).join(" · ");
}
