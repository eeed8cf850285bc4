// A version while it is used: whether its rows are others than those of its training, and how good its answers were.
import { html } from "../vendor/preact.js";
import { count, moment, number, percent } from "../core/format.js";
import { useResource } from "../core/resource.js";
import { MetricName } from "../parts/metric.js";
import { Ready } from "../parts/states.js";

const HOURS = 24;

export function VersionInUse({ name, manifest }) {
  const model = `v1/models/${encodeURIComponent(name)}`;
  const query = { hours: HOURS, version: manifest.version };
  return html`<section class="sheet"><h2>Drift</h2><${Drift} model=${model} query=${query} reference=${manifest.reference} /></section>
    <section class="sheet"><h2>Live metrics</h2><${LiveMetrics} model=${model} query=${query} /></section>`;
}

function Drift({ model, query, reference }) {
  const found = useResource(reference ? `${model}/drift` : null, { query });
  if (!reference) return html`<p class="quiet">Not recorded: the version has no reference that its rows could be compared with.</p>`;
  return html`<${Ready} of=${found} what="Comparing">
    ${(drift) =>
      drift.enough
        ? html`<p>${drift.drifted ? html`<strong>The rows have drifted</strong> from those of the training` : "No drift is found"}, by ${count(drift.rows)} rows since ${moment(drift.since)}.</p>
          <${Columns} of=${drift} />
          <p class="quiet small">A column has drifted where the population stability index (PSI) is at least ${number(drift.threshold)} and its p-value, corrected for all columns, at most ${number(drift.level)}. In brackets: the shares in the training part, of answers in the ${drift.answers_part} part.${drift.left_out ? ` ${count(drift.left_out)} inputs are not watched.` : ""}</p>`
        : html`<p class="quiet">${drift.reason}</p>`}
  <//>`;
}

function Columns({ of }) {
  const columns = [...of.inputs, ...of.answers.map((each) => ({ ...each, answer: true }))].sort((a, b) => b.psi - a.psi);
  const most = Math.max(of.threshold * 2.5, ...columns.map((each) => each.psi));
  return html`<div class="wide" tabindex="0" role="region" aria-label="Drift of each column">
    <table>
      <thead><tr><th scope="col">Column</th><th scope="col">Drift</th><th scope="col">PSI, as a bar</th><th scope="col" class="number">PSI</th><th scope="col" class="number">p-value</th><th scope="col" class="number">Missing</th><th scope="col" class="number">Unknown</th></tr></thead>
      <tbody>
        ${columns.map(
          (each) => html`<tr key=${`${each.answer ? "answer" : "input"} ${each.name}`}>
            <th scope="row" class="name"><bdi>${each.name}</bdi>${each.answer && html` <span class="quiet small">answers</span>`}</th>
            <td>${each.drifted ? html`<strong>yes</strong>` : "no"}</td>
            <td><meter max=${most} value=${each.psi} aria-label=${`PSI of ${each.name}`}></meter></td>
            <td class="number">${number(each.psi)}</td>
            <td class="number">${number(each.p_value)}</td>
            <td class="number">${beside(each.missing, each.reference_missing)}</td>
            <td class="number">${beside(each.unknown, each.reference_unknown)}</td>
          </tr>`,
        )}
      </tbody>
    </table>
  </div>`;
}

const beside = (share, reference) => `${percent(share, 1)} (${percent(reference, 1)})`;

function LiveMetrics({ model, query }) {
  const found = useResource(`${model}/live-metrics`, { query });
  return html`<${Ready} of=${found} what="Comparing with what was true">
    ${(metrics) =>
      metrics.enough
        ? html`<div class="wide" tabindex="0" role="region" aria-label="Live metrics">
              <table>
                <thead><tr><th scope="col">Metric</th><th scope="col" class="number">live</th><th scope="col" class="number">test part</th></tr></thead>
                <tbody>
                  ${Object.entries(metrics.live).map(
                    ([metric, value]) => html`<tr key=${metric}>
                      <th scope="row"><${MetricName} name=${metric} /></th>
                      <td class="number">${number(value)}</td>
                      <td class="number">${number(metrics.test?.[metric])}</td>
                    </tr>`,
                  )}
                </tbody>
              </table>
            </div>
            <p class="quiet small">Of ${count(metrics.rows)} predictions since ${moment(metrics.since)} whose truth is known${metrics.complete ? "" : ", the newest of more"}.</p>`
        : html`<p class="quiet">Of the last ${count(query.hours)} hours, the truth of ${count(metrics.rows)} predictions is known, and ${count(metrics.needed)} are needed. It is told by feedback, and only of predictions that the operator's log keeps.</p>`}
  <//>`;
}
