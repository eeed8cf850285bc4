// A form of the inputs of a model.
import { html, useId, useState } from "../vendor/preact.js";
import { count } from "../core/format.js";
import { rangeOf, takesFile, written } from "../core/inputs.js";
import { Field } from "../parts/field.js";
import { PictureChoice } from "../parts/picture_choice.js";

const AT_ONCE = 40; // fields of a wide table; the others are found by name
const LONGEST_SELECT = 60; // categories; of more one types, and some are proposed
const PROPOSED = 300;
const ACCEPTED = { image: "image/png,image/jpeg,image/webp,image/gif", video: "video/*,image/gif,image/webp,image/png" };

export function TryForm({ inputs, ranges, values, errors, onChange }) {
  const [find, setFind] = useState("");
  const wanted = find.toLowerCase();
  const matching = wanted ? inputs.filter((each) => each.name.toLowerCase().includes(wanted)) : inputs;
  const wrong = inputs.filter((each) => errors.has(each.name) && !matching.slice(0, AT_ONCE).includes(each));
  return html`${inputs.length > AT_ONCE &&
    html`<${Field} label="Find an input" hint=${`${count(Math.min(AT_ONCE, matching.length))} of ${count(inputs.length)} inputs are shown; the others keep their values.`}>
      ${(about) => html`<input ...${about} type="search" value=${find} onInput=${(event) => setFind(event.target.value)} />`}
    <//>`}
    <div class="inputs">
      ${[...matching.slice(0, AT_ONCE), ...wrong.slice(0, AT_ONCE)].map(
        (each) => html`<${Input} key=${each.name} input=${each} range=${rangeOf(ranges, each.name)} value=${values.get(each.name)} error=${errors.get(each.name)} onChange=${onChange} />`,
      )}
    </div>`;
}

function Input({ input, range, value, error, onChange }) {
  const set = (event) => onChange(input.name, event.target.value);
  const label = html`<bdi>${input.name}</bdi>`;
  if (input.type === "number") return html`<${NumberInput} label=${label} input=${input} range=${range} value=${value} error=${error} onChange=${onChange} />`;
  if (input.type === "boolean") {
    return html`<${Field} label=${label} error=${error}>
      ${(about) => html`<select ...${about} value=${value} onChange=${set}>
        <option value="true">true</option><option value="false">false</option><option value="">(missing)</option>
      </select>`}
    <//>`;
  }
  if (input.type === "category" && input.categories?.length <= LONGEST_SELECT) {
    return html`<${Field} label=${label} error=${error}>
      ${(about) => html`<select ...${about} value=${value} onChange=${set}>
        ${input.categories.map((each) => html`<option value=${each}>${each}</option>`)}
        <option value="">(missing)</option>
      </select>`}
    <//>`;
  }
  if (input.type === "category") return html`<${CategoryInput} label=${label} input=${input} value=${value} error=${error} onInput=${set} />`;
  if (takesFile(input)) {
    return html`<${Field} label=${label} hint=${shapeOf(input)} error=${error}>
      ${(about) => html`<${PictureChoice} about=${about} accept=${ACCEPTED[input.type]} file=${value} set=${(file) => onChange(input.name, file)} name=${input.name} />`}
    <//>`;
  }
  if (input.type === "text" || input.type === "tensor") {
    const told = input.type === "text" ? null : `${input.shape?.join(" × ")} numbers, as JSON`;
    return html`<${Field} label=${label} hint=${told} error=${error}>
      ${(about) => html`<textarea ...${about} rows="4" spellcheck=${input.type === "text"} value=${value} onInput=${set}></textarea>`}
    <//>`;
  }
  const hint = range ? `${written(input, range[0])} to ${written(input, range[1])} in the training` : "as in the data";
  return html`<${Field} label=${label} hint=${hint} error=${error}>
    ${(about) => html`<input ...${about} type=${input.type === "datetime" && isDay(value) ? "date" : "text"} value=${value} onInput=${set} />`}
  <//>`;
}

/** What a file becomes: "resized to 48 × 64 pixels". */
function shapeOf({ shape }) {
  const [height, width] = shape?.slice(-2) ?? [];
  return width ? `Resized to ${height} × ${width} pixels (height × width)` : null;
}

/** A date without a time of day fits the browser's own calendar. */
function isDay(value) {
  return value === "" || /^\d{4}-\d{2}-\d{2}$/.test(value);
}

function NumberInput({ label, input, range, value, error, onChange }) {
  const set = (event) => onChange(input.name, event.target.value);
  const typed = Number(value);
  const outside = range !== null && value !== "" && Number.isFinite(typed) && (typed < range[0] || typed > range[1]);
  const ends = range === null ? null : `${written(input, range[0])} to ${written(input, range[1])}`;
  const hint = outside ? `Outside of the training, ${ends}: the answer is extrapolated.` : ends === null ? null : `${ends} in the training`;
  return html`<${Field} label=${label} hint=${hint} error=${error}>
    ${(about) => html`<div class="sliding">
      <input ...${about} type="text" inputmode="decimal" autocomplete="off" value=${value} placeholder=${ends ?? ""} onInput=${set} />
      ${range !== null && range[0] < range[1] &&
      html`<input type="range" aria-label=${`Slider of ${input.name}`} min=${range[0]} max=${range[1]} step=${stepOf(range)} value=${value === "" ? range[0] : value} onInput=${set} />`}
    </div>`}
  <//>`;
}

/** Some hundred steps of a round size; of a range of whole numbers halves or larger ones, as its values may be counts. */
function stepOf([least, largest]) {
  const step = 10 ** Math.floor(Math.log10((largest - least) / 100));
  const counts = Number.isInteger(least) && Number.isInteger(largest) && largest - least > 1;
  return counts ? Math.max(largest - least > 20 ? 1 : 0.5, step) : step;
}

function CategoryInput({ label, input, value, error, onInput }) {
  const list = useId();
  const known = input.categories ?? [];
  const proposed = known.filter((each) => each.toLowerCase().includes(value.toLowerCase())).slice(0, PROPOSED);
  const hint = value === "" || known.includes(value) || !known.length ? null : "Not among the categories of the training: the model knows nothing about it.";
  return html`<${Field} label=${label} hint=${hint} error=${error}>
    ${(about) => html`<input ...${about} type="text" list=${list} autocomplete="off" value=${value} onInput=${onInput} />
      <datalist id=${list}>${proposed.map((each) => html`<option value=${each}></option>`)}</datalist>`}
  <//>`;
}
