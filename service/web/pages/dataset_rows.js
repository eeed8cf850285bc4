// The first rows of a data set, a few at a time.
import { html, useState } from "../vendor/preact.js";
import { count, number } from "../core/format.js";
import { Ready } from "../parts/states.js";

const AT_ONCE = 20; // rows
const MOST_COLUMNS = 40;

export function Rows({ rows, columns, all }) {
  return html`<section class="sheet">
    <h2>First rows</h2>
    <${Ready} of=${rows}>${(page) => html`<${Table} rows=${page.data} columns=${columns} all=${all} />`}<//>
  </section>`;
}

function Table({ rows, columns, all }) {
  const [from, setFrom] = useState(0);
  const to = Math.min(from + AT_ONCE, rows.length);
  const shown = columns.slice(0, MOST_COLUMNS);
  return html`<div class="wide" tabindex="0" role="region" aria-label="First rows">
      <table>
        <thead>
          <tr>
            <th scope="col" class="number">Row</th>
            ${shown.map((each) => html`<th scope="col" class=${each.type === "number" ? "number long" : "long"} title=${each.name}>${each.name}</th>`)}
          </tr>
        </thead>
        <tbody>
          ${rows.slice(from, to).map(
            (row, at) => html`<tr>
              <td class="number quiet">${count(from + at + 1)}</td>
              ${shown.map((each) => html`<${Cell} value=${row[each.name]} type=${each.type} />`)}
            </tr>`,
          )}
        </tbody>
      </table>
    </div>
    <div class="row spread">
      <span class="quiet small" role="status">Rows ${from + 1} to ${to} of ${count(all)}${rows.length < all ? `; the first ${count(rows.length)} can be seen here` : ""}${
        columns.length > MOST_COLUMNS ? `; ${MOST_COLUMNS} of ${count(columns.length)} columns` : ""
      }</span>
      <span class="row">
        <button type="button" disabled=${from === 0} onClick=${() => setFrom(Math.max(0, from - AT_ONCE))}>Previous</button>
        <button type="button" disabled=${to === rows.length} onClick=${() => setFrom(from + AT_ONCE)}>Next</button>
      </span>
    </div>`;
}

function Cell({ value, type }) {
  if (value === null || value === undefined) {
    return html`<td class=${type === "number" ? "number quiet" : "quiet"}><span aria-hidden="true">–</span><span class="unseen">missing</span></td>`;
  }
  const text = typeof value === "object" ? (value.file ?? JSON.stringify(value)) : String(value);
  if (typeof value === "number") return html`<td class="number" title=${text}>${text.length > 10 ? number(value) : text}</td>`;
  return html`<td class=${text.length > 24 ? "long" : "cell"} title=${text}>${text.length > 80 ? `${text.slice(0, 80)}…` : text}</td>`;
}
