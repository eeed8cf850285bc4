// The spec as a form and as JSON, both in step, with what the service says of it.
import { html, useMemo, useRef, useState } from "../vendor/preact.js";
import { go } from "../core/address.js";
import { Problem } from "../core/api.js";
import { useCheck } from "../core/check.js";
import { plain } from "../core/schema.js";
import { isShaped } from "../core/inputs.js";
import { newKey, submit } from "../core/submit.js";
import { Field } from "../parts/field.js";
import { Check } from "./train_check.js";
import { Form } from "./train_fields.js";
import { SpecForm } from "./train_form.js";

/** `first`: the spec to begin with; `columns`: of its data set; `weights`: the version whose weights may be taken over. */
export function Editor({ schema: { schema, root }, first, columns, weights }) {
  const [{ spec, text, broken }, setState] = useState(() => ({ spec: first, text: written(first), broken: null }));
  const [sent, setSent] = useState({ busy: false, error: null });
  const key = useRef({ of: null, key: null });
  const check = useCheck(broken ? null : spec);
  const put = (next) => setState({ spec: next, text: written(next), broken: null });
  const change = (name, value) => {
    const { [name]: _, ...others } = spec;
    put(value === undefined ? others : { ...spec, [name]: value });
  };
  const edit = (event) => setState((was) => ({ ...was, text: event.target.value, ...read(event.target.value) }));
  const errors = useMemo(() => byPointer(check.error), [check.error]);
  const form = { root, resolved: (check.plan ?? check.last)?.spec ?? null, errors, columns, schedulers: plain(schema.properties.scheduler, root).schema };
  const train = async () => {
    if (key.current.of !== spec) key.current = { of: spec, key: newKey() }; // another try of the same spec is the same job
    setSent({ busy: true, error: null });
    try {
      const job = await submit(spec, key.current.key);
      go(["jobs", job.id]);
    } catch (error) {
      setSent({ busy: false, error });
    }
  };
  return html`<${Presets} spec=${spec} put=${put} task=${check.last?.spec.data.task} weights=${weights} shaped=${columns.some((each) => isShaped(each) && each.feature)} />
    <div class="train">
      <fieldset class="bare" disabled=${broken !== null}>
        <legend class="unseen">The spec as a form</legend>
        <${Form.Provider} value=${form}><${SpecForm} schema=${schema} spec=${spec} change=${change} /><//>
      </fieldset>
      <aside aria-label="Check and JSON">
        <${Check} check=${check} broken=${broken} train=${train} sent=${sent} />
        <section class="sheet">
          <${Field} label="The spec as JSON" hint="Change it here or in the form: both stay the same." error=${broken}>
            ${(about) => html`<textarea ...${about} rows="18" spellcheck=${false} autocomplete="off" value=${text} onInput=${edit}></textarea>`}
          <//>
        </section>
      </aside>
    </div>`;
}

const SETTINGS = ["model", "loss", "optimizer", "scheduler", "training", "preprocessing"];
const LINEAR = { optimizer: { name: "AdamW", lr: 0.01 }, preprocessing: { normalize: true }, training: { epochs: 200 } };
const PRESETS = [
  { name: "Default network", about: "The kind of network that suits the data, sized by it", of: () => ({}) },
  {
    name: "Linear model",
    table: true,
    about: "A weight for each column: the simplest baseline",
    of: (task) => ({ model: { kind: (task ?? "regression") === "regression" ? "linear_regression" : "logistic_regression" }, ...LINEAR }),
  },
  { name: "Small network", table: true, about: "Two layers of 32", of: () => ({ model: { kind: "mlp", hidden: [32, 32] } }) },
  { name: "Quick try", about: "At most ten seconds", of: () => ({ training: { epochs: 20, max_seconds: 10 } }) },
  { name: "Patient", about: "Until 50 epochs brought nothing", of: () => ({ training: { epochs: 500, early_stopping: { patience: 50 } } }) },
];

/** Buttons that write several fields at once. Name, data and split stay. `shaped`: images, say, which some kinds do not take. */
function Presets({ spec, put, task, weights, shaped }) {
  const apply = (preset) => {
    const kept = Object.fromEntries(Object.entries(spec).filter(([name]) => !SETTINGS.includes(name)));
    put({ ...kept, ...preset.of(task) });
  };
  return html`<div class="row presets" role="group" aria-label="Start from">
    <span class="quiet">Start from</span>
    ${PRESETS.filter((each) => !each.table || !shaped).map((each) => html`<button type="button" title=${each.about} onClick=${() => apply(each)}>${each.name}</button>`)}
    ${weights &&
    html`<button type="button" aria-pressed=${spec.initial === weights ? "true" : "false"} onClick=${() => put({ ...spec, initial: spec.initial === weights ? undefined : weights })}>
      ${spec.initial === weights ? `From the weights of ${weights}` : `Take the weights of ${weights} too`}
    </button>`}
  </div>`;
}

function written(spec) {
  return JSON.stringify(spec, null, 2);
}

function read(text) {
  try {
    const spec = JSON.parse(text);
    if (spec === null || typeof spec !== "object" || Array.isArray(spec)) return { broken: "A spec is an object: it begins with { and ends with }." };
    return { spec, broken: null };
  } catch (error) {
    return { broken: `This is no valid JSON yet; the form waits. ${place(error.message, text)}` };
  }
}

/** Where a parser stopped, in lines. Browsers tell the position in words of their own. */
function place(message, text) {
  const line = /line (\d+)/.exec(message);
  const position = /position (\d+)/.exec(message);
  if (line) return `Look at line ${line[1]}.`;
  if (position) return `Look at line ${text.slice(0, Number(position[1])).split("\n").length}.`;
  return "Look at its end.";
}

function byPointer(error) {
  if (!(error instanceof Problem)) return {};
  const found = {};
  for (const { pointer, message } of error.errors) found[pointer] ??= message;
  return found;
}
