// The audit log: who tried to change what.
import { html, useState } from "../vendor/preact.js";
import { go } from "../core/address.js";
import { moment } from "../core/format.js";
import { usePages } from "../core/resource.js";
import { Field } from "../parts/field.js";
import { Empty, Failure, Loading, More } from "../parts/states.js";

/** The lines from a day on, in UTC as in the log: today's unless the address says another. The newest is the last. */
export function AuditLog({ query }) {
  const day = /^\d{4}-\d\d-\d\d$/.test(query.day ?? "") ? query.day : new Date().toISOString().slice(0, 10);
  const [all, showAll] = useState(false);
  const lines = usePages("v1/audit", { query: { after: `${day}:0` }, limit: 100, idOf: (line) => line.id, every: 10 });
  const shown = lines.items.filter((line) => all || line.changes.length > 0 || line.error);
  return html`<div class="filters">
      <${Field} label="From">
        ${(about) => html`<input ...${about} type="date" required value=${day} onChange=${(event) => event.target.value && go(["operations"], { ...query, day: event.target.value })} />`}
      <//>
      <label><input type="checkbox" checked=${all} onChange=${(event) => showAll(event.target.checked)} /> Also attempts that changed nothing</label>
    </div>
    <${Failure} error=${lines.error} retry=${lines.reload} />
    ${!lines.ready && !lines.error && html`<${Loading} what="Reading the log" />`}
    ${lines.ready && shown.length === 0 && html`<${Empty} title="Nothing has been changed since then"><p>Choose an earlier day to see more.</p><//>`}
    ${shown.length > 0 && html`<${Table} lines=${shown} />`}
    <${More} pages=${lines} />`;
}

function Table({ lines }) {
  return html`<div class="sheet wide" tabindex="0" role="region" aria-label="Audit log">
    <table>
      <thead>
        <tr><th scope="col">When</th><th scope="col">Who</th><th scope="col">What</th><th scope="col">Request</th><th scope="col" class="number">Status</th></tr>
      </thead>
      <tbody>
        ${lines.map(
          (line) => html`<tr key=${line.id}>
            <td class="when">${moment(line.at)}</td>
            <td>${line.who ?? html`<span class="quiet">no valid key</span>`}</td>
            <td>
              ${line.error && html`<span class="mark bad">${line.error.code}</span> ${line.error.detail}`}
              ${line.changes.map((change) => html`<div><strong>${change.what}</strong> ${change.on} <span class="quiet small">${fromTo(change)}</span></div>`)}
              ${line.left_out > 0 && html`<div class="quiet small">${line.left_out} attempts before it are left out</div>`}
            </td>
            <td class="path-cell"><code>${line.method} ${line.path}</code></td>
            <td class="number">${line.status ?? "–"}</td>
          </tr>`,
        )}
      </tbody>
    </table>
  </div>`;
}

function fromTo({ from, to }) {
  const text = (value) => {
    const words = typeof value === "object" && value !== null ? JSON.stringify(value) : String(value);
    return words.length > 40 ? `${words.slice(0, 12)}…` : words;
  };
  if (from === null || from === undefined) return to === null || to === undefined ? "" : `to ${text(to)}`;
  return to === null || to === undefined ? `was ${text(from)}` : `from ${text(from)} to ${text(to)}`;
}
