// One tensor: a histogram of its values, and the values themselves as a table with a shade for each.
import { html, useState } from "../vendor/preact.js";
import { count, number } from "../core/format.js";
import { useResource } from "../core/resource.js";
import { Histogram } from "../parts/histogram.js";
import { Ready } from "../parts/states.js";

const SAMPLED = 50_000; // values of a large tensor that the histogram is of
const ROWS = 20;
const COLUMNS = 12;
const ACROSS = 10; // values in a row of a vector

export function shapeOf({ shape }) {
  return shape.length ? shape.join(" × ") : "one value";
}

/** `path`: of the state_dict; `tensor`: { name, shape, … } as the list of parameters has it. */
export function TensorView({ path, tensor }) {
  const { shape } = tensor;
  if (shape.some((each) => each === 0)) return html`<p class="quiet">It has no values.</p>`;
  const size = shape.slice(1).reduce((product, each) => product * each, 1); // of one row
  const sampled = shape.length ? Math.min(shape[0], Math.max(1, Math.floor(SAMPLED / size))) : null;
  return html`<${Spread} path=${path} tensor=${tensor} rows=${sampled} size=${size} />
    <${Values} path=${path} tensor=${tensor} size=${size} />`;
}

function Spread({ path, tensor, rows, size }) {
  const values = useRows(path, tensor.name, rows === null ? null : [0, rows]);
  const all = rows === null || rows === tensor.shape[0];
  return html`<${Ready} of=${values} what="Reading the values">
    ${(of) => {
      const finite = flat(of[tensor.name]).filter(Number.isFinite);
      if (finite.length === 0) return html`<p class="warning">None of its values is a finite number.</p>`;
      return html`<${Histogram} values=${finite} label=${tensor.name} />
        ${!all && html`<p class="quiet small">Of the first ${count(rows)} of ${count(tensor.shape[0])} rows (${count(rows * size)} values).</p>`}`;
    }}
  <//>`;
}

function Values({ path, tensor, size }) {
  const { shape, name } = tensor;
  const vector = shape.length === 1;
  const perPage = vector ? ROWS * ACROSS : ROWS;
  const [first, setFirst] = useState(0);
  const [column, setColumn] = useState(0);
  const last = shape.length ? Math.min(shape[0], first + perPage) : null;
  const values = useRows(path, name, last === null ? null : [first, last]);
  const width = vector ? Math.min(ACROSS, shape[0]) : Math.min(COLUMNS, size - column);
  const reach = Math.max(Math.abs(tensor.min ?? 0), Math.abs(tensor.max ?? 0));
  return html`<div class="heading">
      <h3>Values</h3>
      <div class="row tight">
        ${shape.length > 0 && shape[0] > perPage &&
        html`<${Pager} what=${vector ? "values" : "rows"} first=${first} step=${perPage} all=${shape[0]} onChange=${setFirst} />`}
        ${!vector && size > COLUMNS && html`<${Pager} what="columns" first=${column} step=${COLUMNS} all=${size} onChange=${setColumn} />`}
      </div>
    </div>
    <${Ready} of=${values} what="Reading the values">
      ${(of) => {
        const lines = vector ? cut(flat(of[name]), ACROSS) : shape.length ? of[name].map((row) => flat(row).slice(column, column + width)) : [[of[name]]];
        return html`<div class="wide" tabindex="0" role="region" aria-label=${`Values of ${name}`}>
          <table class="heat">
            <thead><tr><th scope="col"><span class="unseen">Row</span></th>${Array.from({ length: width }, (_, at) => html`<th scope="col" class="number">${vector ? `+${at}` : columnName(column + at, shape)}</th>`)}</tr></thead>
            <tbody>
              ${lines.map((line, at) => html`<tr>
                <th scope="row" class="number">${first + at * (vector ? ACROSS : 1)}</th>
                ${line.map((value) => html`<td class="number" style=${shade(value, reach)}>${number(value)}</td>`)}
              </tr>`)}
            </tbody>
          </table>
        </div>`;
      }}
    <//>
    <p class="quiet small">The deeper the shade, the further from zero: blue above, orange below.${shape.length > 2 && ` The last ${shape.length - 1} dimensions are laid out side by side.`}</p>`;
}

function Pager({ what, first, step, all, onChange }) {
  const last = Math.min(all, first + step);
  return html`<span class="row tight" role="group" aria-label=${`Which ${what}`}>
    <button type="button" aria-label=${`Earlier ${what}`} disabled=${first === 0} onClick=${() => onChange(Math.max(0, first - step))}>‹</button>
    <span class="small quiet" role="status">${what} ${count(first)} to ${count(last - 1)} of ${count(all)}</span>
    <button type="button" aria-label=${`Later ${what}`} disabled=${last === all} onClick=${() => onChange(first + step)}>›</button>
  </span>`;
}

/** The rows of a tensor from `from` up to `to`; all of a tensor without dimensions. */
function useRows(path, name, rows) {
  return useResource(path, { query: { name, rows: rows === null ? null : rows.join(":") } });
}

function flat(values) {
  return Array.isArray(values) ? values.flat(Infinity) : [values];
}

function cut(values, width) {
  return Array.from({ length: Math.ceil(values.length / width) }, (_, at) => values.slice(at * width, (at + 1) * width));
}

/** "3", or "1, 3" where a row has more than one dimension. */
function columnName(at, shape) {
  const place = [];
  for (const size of shape.slice(1).reverse()) {
    place.unshift(at % size);
    at = Math.floor(at / size);
  }
  return place.join(", ");
}

function shade(value, reach) {
  if (!Number.isFinite(value) || reach === 0) return {};
  const share = Math.round(Math.min(1, Math.abs(value) / reach) * 40);
  return { background: `color-mix(in srgb, var(${value > 0 ? "--series-1" : "--series-2"}) ${share}%, transparent)` };
}
