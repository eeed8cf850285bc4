// The versions of a model, with the metrics of one part side by side.
import { html, useState } from "../vendor/preact.js";
import { go, link } from "../core/address.js";
import { call } from "../core/api.js";
import { useChange } from "../core/change.js";
import { ago, moment, number } from "../core/format.js";
import { PARTS, bestOf, judgedBy, namesOf } from "../core/metrics.js";
import { Confirm } from "../parts/dialog.js";
import { MetricName } from "../parts/metric.js";
import { Failure, Loading, More } from "../parts/states.js";

export function ModelVersions({ name, query, pages, onPoint, onChanged }) {
  const versions = pages.items;
  const [picked, setPicked] = useState([]);
  const [deleting, setDeleting] = useState(null);
  const parts = PARTS.filter((part) => versions.some((each) => each.metrics?.[part]));
  const part = parts.includes(query.part) ? query.part : (judgedBy(versions[0]?.metrics) ?? parts[0]);
  const toggle = (version) => setPicked((were) => (were.includes(version) ? were.filter((each) => each !== version) : [...were, version].slice(-2)));
  const [a, b] = [...picked].sort((one, other) => one - other);
  return html`<div class="heading">
      <h2>Versions</h2>
      <div class="row">
        ${parts.length > 0 &&
        html`<label class="row tight">Metrics of the part
          <select value=${part} onChange=${(event) => go(["models", name], { part: event.target.value }, { replace: true })}>
            ${parts.map((each) => html`<option value=${each}>${each}</option>`)}
          </select>
        </label>`}
        <button type="button" disabled=${picked.length !== 2} onClick=${() => go(["models", name, "compare"], { a, b })}>
          ${picked.length === 2 ? `Compare ${a} and ${b}` : "Compare two"}
        </button>
      </div>
    </div>
    <${Failure} error=${pages.error} retry=${pages.reload} />
    ${!pages.ready && !pages.error && html`<${Loading} what="Loading the versions" />`}
    ${versions.length > 0 && html`<${Table} name=${name} versions=${versions} part=${part} picked=${picked} toggle=${toggle} onPoint=${onPoint} onDelete=${setDeleting} />`}
    ${versions.length > 1 && part && html`<p class="quiet small"><span class="best">Best</span> of the versions shown is marked in each column. Metrics of versions that were tested on other data are not comparable: “Compare two” says whether they were.</p>`}
    <${More} pages=${pages} />
    ${deleting !== null && html`<${DeleteVersion} name=${name} version=${deleting} onClose=${() => setDeleting(null)} onDone=${() => (setDeleting(null), setPicked([]), onChanged())} />`}`;
}

function Table({ name, versions, part, picked, toggle, onPoint, onDelete }) {
  const metrics = namesOf(versions, part);
  const best = Object.fromEntries(metrics.map((metric) => [metric, bestOf(metric, versions.map((each) => each.metrics?.[part]?.[metric]))]));
  return html`<div class="wide" tabindex="0" role="region" aria-label="Versions">
    <table>
      <thead>
        <tr>
          <th scope="col">Compare</th>
          <th scope="col">Version</th>
          <th scope="col">Published</th>
          ${metrics.map((metric) => html`<th scope="col" class="number"><${MetricName} name=${metric} /></th>`)}
          <th scope="col"><span class="unseen">Changes</span></th>
        </tr>
      </thead>
      <tbody>
        ${versions.map(
          (each) => html`<tr key=${each.version}>
            <td><input type="checkbox" aria-label=${`Compare version ${each.version}`} checked=${picked.includes(each.version)} disabled=${each.error !== null} onChange=${() => toggle(each.version)} /></td>
            <th scope="row" class="name">
              <a href=${link(["models", name, each.version])}>${each.version}</a>
              ${each.aliases.map((alias) => html` <span class="mark good">${alias}</span>`)}
            </th>
            ${each.error
              ? html`<td colspan=${metrics.length + 1}><span class="mark bad">damaged</span> <span class="small">${each.error.detail}</span></td>`
              : html`<td class="quiet nowrap" title=${moment(each.created_at)}>${ago(each.created_at)}</td>
                  ${metrics.map((metric) => html`<${Value} value=${each.metrics?.[part]?.[metric]} best=${best[metric]} />`)}`}
            <td class="buttons">
              <button type="button" disabled=${each.error !== null} onClick=${() => onPoint(each.version)}>Promote …<span class="unseen"> version ${each.version}</span></button>
              <button type="button" onClick=${() => onDelete(each.version)}>Delete …<span class="unseen"> version ${each.version}</span></button>
            </td>
          </tr>`,
        )}
      </tbody>
    </table>
  </div>`;
}

function Value({ value, best }) {
  if (value === best && best !== null) return html`<td class="number best">${number(value)}<span class="unseen"> (best)</span></td>`;
  return html`<td class="number">${number(value)}</td>`;
}

function DeleteVersion({ name, version, onClose, onDone }) {
  const change = useChange(() => call(`v1/models/${encodeURIComponent(name)}/versions/${version}`, { method: "DELETE" }), onDone);
  return html`<${Confirm} title=${`Delete version ${version}?`} action="Delete the version" danger busy=${change.busy} error=${change.error} onConfirm=${change.run} onClose=${onClose}>
    <p>Its files go, and its number is never used again. This cannot be undone.</p>
    ${change.error?.code === "version_in_use" && html`<p>Move or delete the alias that points at it first.</p>`}
  <//>`;
}
