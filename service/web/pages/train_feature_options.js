// How a feature whose values have a shape becomes a tensor: the options that a spec may give for its type.
import { html, useContext } from "../vendor/preact.js";
import { at, member } from "../core/pointer.js";
import { Field } from "../parts/field.js";
import { Form } from "./train_fields.js";

const SIZE = { path: ["size"], label: "Size", hint: "Pixels: height and width, such as 48, 64, or one number for both", kind: "numbers" };
const CHANNELS = { path: ["channels"], label: "Channels", hint: "1: grey, 3: colours", kind: "number", choices: [1, 3] };
const OPTIONS = {
  image: [
    SIZE,
    CHANNELS,
    { path: ["augmentation", "flip"], label: "Mirror", hint: "Half of the images, left to right, in training only", kind: "boolean", choices: [true, false] },
    { path: ["augmentation", "crop"], label: "Move", hint: "By up to as many pixels", kind: "number" },
    { path: ["augmentation", "rotate"], label: "Turn", hint: "By up to as many degrees", kind: "number" },
    { path: ["augmentation", "color"], label: "Change colours", hint: "By up to this part, from 0 to 1", kind: "number" },
  ],
  video: [{ path: ["frames"], label: "Frames", hint: "Of each video, evenly spread", kind: "number" }, SIZE, CHANNELS],
  text: [
    { path: ["encoding"], label: "Encoding", hint: "ngrams: parts of some characters; bpe: pieces learned from the training texts", kind: "text", choices: ["ngrams", "bpe"] },
    { path: ["length"], label: "Length", hint: "Of how many parts a text has at most", kind: "number" },
  ],
};

export function hasOptions(type) {
  return Object.hasOwn(OPTIONS, type);
}

/** The options of one feature. `value`: its { type, … } in the spec; `set` gets the whole of it. */
export function FeatureOptions({ name, value, set, pointer }) {
  const { resolved, errors } = useContext(Form);
  const usual = at(resolved, pointer) ?? {};
  return html`<fieldset class="nested">
    <legend>Options of <bdi>${name}</bdi> (${value.type})</legend>
    <div class="form-grid">
      ${OPTIONS[value.type].map(
        (option) => html`<${Option}
          key=${option.path.join("/")}
          ...${option}
          pointer=${option.path.reduce(member, pointer)}
          value=${found(value, option.path)}
          usual=${found(usual, option.path)}
          error=${errors[option.path.reduce(member, pointer)] ?? errors[`${option.path.reduce(member, pointer)}/0`]}
          set=${(next) => set(changed(value, option.path, next))}
        />`,
      )}
    </div>
  </fieldset>`;
}

function Option({ label, hint, kind, choices, value, usual, error, pointer, set }) {
  if (choices) {
    const say = (each) => (each === true ? "yes" : each === false ? "no" : String(each));
    const chosen = value === undefined ? "" : String(choices.indexOf(value));
    return html`<${Field} label=${label} hint=${hint} error=${error}>
      ${(about) => html`<select ...${about} data-pointer=${pointer} value=${chosen} onChange=${(event) => set(event.target.value === "" ? undefined : choices[Number(event.target.value)])}>
        <option value="">${usual === undefined || value !== undefined ? "default" : `default: ${say(usual)}`}</option>
        ${choices.map((each, index) => html`<option value=${String(index)}>${say(each)}</option>`)}
      </select>`}
    <//>`;
  }
  const meant = (text) => (text.trim() === "" ? undefined : read(text, kind));
  // The text stays as it is typed while it means the value: "48," on the way to "48, 64".
  const keep = (element) => {
    if (element && JSON.stringify(meant(element.value)) !== JSON.stringify(value)) element.value = value === undefined ? "" : [value].flat().join(", ");
  };
  return html`<${Field} label=${label} hint=${hint} error=${error}>
    ${(about) => html`<input ...${about} data-pointer=${pointer} autocomplete="off" placeholder=${usual === undefined ? "" : [usual].flat().join(", ")} ref=${keep} onInput=${(event) => set(meant(event.target.value))} />`}
  <//>`;
}

/** What was typed as the spec has it; what is no number goes on as a text, and the service says what is wrong. */
function read(text, kind) {
  const numbers = text.split(/[,×x ]+/).filter(Boolean).map((each) => (Number.isFinite(Number(each)) ? Number(each) : each));
  return kind === "numbers" && numbers.length > 1 ? numbers : numbers.length === 1 ? numbers[0] : text;
}

function found(value, path) {
  return path.reduce((inner, name) => inner?.[name] ?? undefined, value);
}

function changed(value, [name, ...rest], next) {
  const inner = rest.length ? changed(value?.[name] ?? {}, rest, next) : next;
  const { [name]: _, ...others } = value ?? {};
  return inner === undefined || (rest.length && Object.keys(inner).length === 0) ? others : { ...others, [name]: inner };
}
