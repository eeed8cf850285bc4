// Metrics by group of a version: which group is worst, and the groups by each column.
import { html } from "../vendor/preact.js";
import { count, number } from "../core/format.js";
import { MetricName } from "../parts/metric.js";

const MOST_SHOWN = 40; // groups, until all are asked for
const RATES = { selection_rate: "selected", true_positive_rate: "true positives", false_positive_rate: "false positives" };

export function VersionGroups({ slices }) {
  if (!slices) return null;
  const rows = slices.columns.flatMap((column) => column.groups.map((group) => ({ column: column.column, group })));
  return html`<section class="sheet">
    <h2>Metrics by group</h2>
    <${Worst} slices=${slices} />
    <${Groups} slices=${slices} rows=${rows.slice(0, MOST_SHOWN)} />
    ${rows.length > MOST_SHOWN &&
    html`<details><summary>${count(rows.length - MOST_SHOWN)} more groups</summary><${Groups} slices=${slices} rows=${rows.slice(MOST_SHOWN)} /></details>`}
    <p class="quiet small">Rows of the ${slices.part} part. The difference is that from the whole part; groups of fewer than 20 rows are only counted.${slices.positive !== undefined && ` Rates are of the class ${slices.positive}.`}${slices.left_out > 0 && ` ${count(slices.left_out)} more columns are left out.`}</p>
  </section>`;
}

function Worst({ slices }) {
  const { worst, metric } = slices;
  if (!worst) return html`<p class="quiet">No group has enough rows to be compared with the others.</p>`;
  const compared = html`<bdi>${worst.column}</bdi>: <bdi>${nameOf(worst)}</bdi>, ${metric} ${number(worst.of_group)} in ${count(worst.rows)} rows, ${number(worst.of_others)} in the others`;
  if (!worst.beyond_chance) return html`<p>No group is worse than the others by more than chance explains. The nearest to it is ${compared}.</p>`;
  return html`<p class="warning"><strong>Worst group:</strong> ${compared}. Chance does not explain that (95 %, for all groups together).</p>`;
}

function Groups({ slices, rows }) {
  const rates = slices.positive === undefined ? [] : Object.keys(RATES);
  return html`<div class="wide" tabindex="0" role="region" aria-label="Metrics by group">
    <table>
      <thead><tr>
        <th scope="col">Column</th><th scope="col">Group</th><th scope="col" class="number">Rows</th>
        <th scope="col" class="number"><${MetricName} name=${slices.metric} /></th><th scope="col" class="number">Difference</th>
        ${rates.map((each) => html`<th scope="col" class="number">${RATES[each]}</th>`)}
      </tr></thead>
      <tbody>
        ${rows.map(
          ({ column, group }) => html`<tr>
            <th scope="row" class="name"><bdi>${column}</bdi></th><td><bdi>${nameOf(group)}</bdi></td><td class="number">${count(group.rows)}</td>
            <td class="number">${shown(group.metrics?.[slices.metric])}</td><td class="number">${shown(group.difference)}</td>
            ${rates.map((each) => html`<td class="number">${shown(group[each])}</td>`)}
          </tr>`,
        )}
      </tbody>
    </table>
  </div>`;
}

/** What the rows of a group have in common. */
function nameOf(group) {
  if (group.missing) return "missing";
  if (group.other) return "other values";
  if (group.low !== undefined) return `${written(group.low)} to ${written(group.high)}`;
  return written(group.value);
}

function written(value) {
  return typeof value === "number" ? number(value) : String(value);
}

function shown(value) {
  return value === undefined || value === null ? "–" : number(value);
}
