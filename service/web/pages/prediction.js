// A prediction as people read it: a number in its range, a class with the probabilities of all, or labels.
import { html, useState } from "../vendor/preact.js";
import { number, percent } from "../core/format.js";
import { rangeOf } from "../core/inputs.js";
import { Loading } from "../parts/states.js";

const FIRST = 10; // classes that are shown of many

/** `stale`: the answer shown is about an earlier instance. */
export function Prediction({ answer, outputs, ranges, stale }) {
  if (answer.data === null) return stale ? null : html`<${Loading} what="Predicting" />`;
  return html`<div class=${stale ? "stale" : ""} role="status">
    <${Content} data=${answer.data} outputs=${outputs} ranges=${ranges} />
    ${answer.unknown > 0 && html`<p class="warning">${answer.unknown === 1 ? "One value is a category" : `${answer.unknown} values are categories`} that the training did not have.</p>`}
  </div>`;
}

function Content({ data, outputs, ranges }) {
  if (Array.isArray(data)) return html`${data.map((value, at) => html`<${Value} output=${outputs[at]} value=${value} ranges=${ranges} />`)}`;
  if (data !== null && typeof data === "object" && "interval" in data) {
    const [values, ends] = Array.isArray(data.prediction) ? [data.prediction, data.interval] : [[data.prediction], [data.interval]];
    return html`${values.map((value, at) => html`<${Value} output=${outputs[at]} value=${value} interval=${ends[at]} ranges=${ranges} />`)}`;
  }
  if (data !== null && typeof data === "object" && "label" in data) {
    return html`<${Figure} name=${outputs[0].name} text=${String(data.label)} />
      ${data.set && html`<p class="small">One of: ${data.set.map((each, at) => html`${at > 0 && ", "}<bdi>${String(each)}</bdi>`)}</p>`}
      <${Chances} chances=${data.probabilities} sorted=${true} />`;
  }
  if (data !== null && typeof data === "object") {
    return html`<${Figure} name="labels" text=${data.labels.length ? data.labels.join(", ") : "none applies"} /><${Chances} chances=${data.probabilities} sorted=${false} />`;
  }
  return html`<${Value} output=${outputs[0]} value=${data} ranges=${ranges} />`;
}

function Figure({ name, text }) {
  return html`<p class="predicted"><span class="quiet small"><bdi>${name}</bdi></span><strong><bdi>${text}</bdi></strong></p>`;
}

function Value({ output, value, interval, ranges }) {
  const range = rangeOf(ranges, output.name);
  const outside = range !== null && typeof value === "number" && (value < range[0] || value > range[1]);
  return html`<${Figure} name=${output.name} text=${value === null ? "not a number" : digits(value)} />
    ${interval && interval[0] !== null && html`<p class="small">between ${digits(interval[0])} and ${digits(interval[1])}</p>`}
    ${range !== null && range[0] < range[1] && typeof value === "number" &&
    html`<div class="scale" aria-hidden="true"><div class="point" style=${{ left: `${Math.min(100, Math.max(0, ((value - range[0]) / (range[1] - range[0])) * 100))}%` }}></div></div>
      <p class="limits small quiet"><span>${number(range[0])}</span><span>in the training</span><span>${number(range[1])}</span></p>`}
    ${outside && html`<p class="quiet small">Beyond all targets of the training.</p>`}`;
}

/** Six significant digits, since small changes of the inputs shall be seen. */
function digits(value) {
  return Math.abs(value) >= 1e9 || (value !== 0 && Math.abs(value) < 1e-4) ? value.toPrecision(6) : Number(value.toPrecision(6)).toLocaleString("en", { maximumFractionDigits: 10 });
}

function Chances({ chances, sorted }) {
  const [all, setAll] = useState(false);
  const entries = Object.entries(chances ?? {});
  if (sorted) entries.sort((one, other) => other[1] - one[1]);
  const shown = all ? entries : entries.slice(0, FIRST);
  return html`<table class="chances">
      <caption class="unseen">Probabilities</caption>
      <tbody>
        ${shown.map(
          ([label, chance]) => html`<tr key=${label}>
            <th scope="row"><bdi>${label === "" ? "(empty)" : label}</bdi></th>
            <td class="chance" aria-hidden="true"><div style=${{ width: `${(chance ?? 0) * 100}%` }}></div></td>
            <td class="number">${percent(chance, 1)}</td>
          </tr>`,
        )}
      </tbody>
    </table>
    ${entries.length > FIRST && html`<button type="button" onClick=${() => setAll(!all)}>${all ? "Show fewer" : `Show all ${entries.length}`}</button>`}`;
}
