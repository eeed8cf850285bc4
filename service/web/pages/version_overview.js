// What a version is: its metrics beside the baseline, its data, its inputs and outputs, its training, and its card.
import { html } from "../vendor/preact.js";
import { link } from "../core/address.js";
import { key, url } from "../core/api.js";
import { bytes, count, duration, number } from "../core/format.js";
import { rangeOf, written } from "../core/inputs.js";
import { PARTS, beats, headline } from "../core/metrics.js";
import { meaningOf } from "../core/plots.js";
import { useSignal } from "../core/signal.js";
import { Code } from "../parts/code.js";
import { MetricName } from "../parts/metric.js";
import { Plot } from "../parts/plot.js";
import { VersionGroups } from "./version_groups.js";
import { VersionImportance } from "./version_importance.js";

const IN_ORDER = [...PARTS].reverse();
const MOST_COLUMNS = 60; // shown of a wide table
const MOST_CATEGORIES = 12;
const TASKS = {
  regression: "Predicts numbers",
  binary: "Predicts one of two classes",
  multiclass: "Predicts one of several classes",
  multilabel: "Predicts which labels apply",
};

export function VersionOverview({ name, manifest, path }) {
  const { signature, spec } = manifest;
  return html`<${Verdict} manifest=${manifest} />
    ${spec.notes && html`<section class="sheet"><h2>Notes</h2><p class="remarks">${spec.notes}</p></section>`}
    <div class="columns">
      <section class="sheet"><h2>Metrics</h2><${Metrics} metrics=${manifest.metrics} /></section>
      <section class="sheet">
        <h2>Predictions and truth</h2>
        <${Plot} path=${`${path}/plots/predictions.png`} label=${`${name}, version ${manifest.version}: ${meaningOf("predictions")}`} missing=${html`<p class="quiet">Not recorded.</p>`} />
      </section>
    </div>
    <${VersionGroups} slices=${manifest.slices} />
    <section class="sheet"><h2>Inputs</h2><${Columns} columns=${signature.inputs} ranges=${manifest.ranges} label="Inputs" /></section>
    <section class="sheet"><h2>Importance of the inputs</h2><${VersionImportance} importance=${manifest.importance} /></section>
    <section class="sheet"><h2>Outputs</h2><${Columns} columns=${signature.outputs} ranges=${manifest.ranges} label="Outputs" /></section>
    <div class="columns">
      <section class="sheet"><h2>Training</h2><${Training} manifest=${manifest} /></section>
      <section class="sheet"><h2>Card and files</h2><${Card} path=${path} manifest=${manifest} /></section>
    </div>
    <details class="sheet">
      <summary>The spec, from which this version can be trained again</summary>
      <${Code} text=${JSON.stringify({ model_name: name, ...spec }, null, 2)} label="The spec as JSON" />
    </details>`;
}

/** The one sentence that says what this is and how good it is. */
function Verdict({ manifest }) {
  const { signature } = manifest;
  const shown = headline(manifest.metrics, manifest.threshold);
  const better = shown && beats(shown.name, shown.value, shown.baseline);
  const targets = signature.outputs.map((each) => each.name);
  return html`<section class="sheet">
    <dl class="figures">
      <div><dt>${TASKS[signature.task] ?? signature.task}</dt><dd class="names">${targets.slice(0, 3).join(", ")}${targets.length > 3 ? ` and ${targets.length - 3} more` : ""}</dd></div>
      ${shown && html`<div><dt><${MetricName} name=${shown.name} /> on the ${shown.part} part</dt><dd>${number(shown.value)}</dd></div>
        <div><dt>${shown.name} of the baseline</dt><dd>${number(shown.baseline)}</dd></div>`}
      <div><dt>Parameters</dt><dd>${count(manifest.parameters)}</dd></div>
    </dl>
    ${(manifest.warnings ?? []).map((each) => html`<p class="warning below"><strong>Warning:</strong> ${each}.</p>`)}
    ${better === false &&
    html`<p class="warning below"><strong>No better than the baseline,</strong> which answers ${signature.task === "regression" ? "the mean" : "how frequent each class is"} whatever the inputs. Train longer, or look at the plots for what is wrong.</p>`}
  </section>`;
}

function Metrics({ metrics }) {
  const parts = [...IN_ORDER, "baseline"].filter((part) => metrics?.[part]);
  if (parts.length === 0) return html`<p class="quiet">Not recorded.</p>`;
  const names = [...new Set(parts.flatMap((part) => Object.keys(metrics[part])))];
  return html`<div class="wide" tabindex="0" role="region" aria-label="Metrics of each part">
      <table>
        <thead><tr><th scope="col">Metric</th>${parts.map((part) => html`<th scope="col" class="number">${part}</th>`)}</tr></thead>
        <tbody>
          ${names.map(
            (metric) => html`<tr>
              <th scope="row"><${MetricName} name=${metric} /></th>
              ${parts.map((part) => html`<td class="number">${number(metrics[part][metric])}</td>`)}
            </tr>`,
          )}
        </tbody>
      </table>
    </div>
    <p class="quiet small">The baseline answers without a model. The model has not seen the test part during its training: that is how well it does on new rows.</p>`;
}

function Columns({ columns, ranges, label }) {
  return html`<div class="wide" tabindex="0" role="region" aria-label=${label}>
      <table>
        <thead><tr><th scope="col">Column</th><th scope="col">Type</th><th scope="col">Values in the training part</th></tr></thead>
        <tbody>
          ${columns.slice(0, MOST_COLUMNS).map(
            (each) => html`<tr key=${each.name}>
              <th scope="row" class="name"><bdi>${each.name}</bdi></th>
              <td>${each.type}</td>
              <td>${values(each, ranges)}</td>
            </tr>`,
          )}
        </tbody>
      </table>
    </div>
    ${columns.length > MOST_COLUMNS && html`<p class="quiet small">The first ${MOST_COLUMNS} of ${count(columns.length)}.</p>`}`;
}

function values(column, ranges) {
  const known = column.categories ?? column.classes;
  if (known) {
    const more = known.length - MOST_CATEGORIES;
    return html`${known.slice(0, MOST_CATEGORIES).map((each, at) => html`${at > 0 && ", "}<bdi>${String(each)}</bdi>`)}${more > 0 && ` and ${more} more`}`;
  }
  const range = rangeOf(ranges, column.name);
  if (range) return `${written(column, range[0])} to ${written(column, range[1])}`;
  return column.type === "boolean" || column.type === "label" ? "true or false" : "–";
}

function Training({ manifest }) {
  const { spec, data, split, training, environment } = manifest;
  const rows = ["train", "validation", "calibration", "test"].filter((part) => split?.[part]).map((part) => `${part} ${count(split[part].rows)}`);
  return html`<dl class="facts">
    <dt>Data</dt>
    <dd>${spec.data.dataset ? html`<a href=${link(["data", spec.data.dataset], { version: data?.version })}>${spec.data.dataset}, version ${data?.version}</a>` : spec.data.kind}, ${count(data?.rows)} rows</dd>
    <dt>Rows of the parts</dt><dd>${rows.length ? rows.join(", ") : "not split"}</dd>
    <dt>Model</dt><dd>${spec.model?.kind}</dd>
    <dt>Loss, optimizer</dt><dd>${spec.loss?.name}, ${spec.optimizer?.name} (lr ${number(spec.optimizer?.lr)})</dd>
    ${manifest.calibration && html`<dt>Calibration</dt><dd>temperature ${number(manifest.calibration.temperature)}: log loss of the validation part ${number(manifest.calibration.log_loss_before)} before, ${number(manifest.calibration.log_loss_after)} after; calibration error ${number(manifest.calibration.ece_before)} before, ${number(manifest.calibration.ece_after)} after</dd>`}
    ${manifest.threshold && html`<dt>Threshold</dt><dd><bdi>${String(manifest.threshold.positive)}</bdi> is the answer where its probability is above ${number(manifest.threshold.threshold)}: ${manifest.threshold.measure === "cost" ? "mean cost" : manifest.threshold.measure} of the validation part ${number(manifest.threshold.before)} at 0.5, ${number(manifest.threshold.after)} so</dd>`}
    <dt>Epochs</dt><dd>${count(training?.epochs)} in ${duration(training?.seconds)}</dd>
    ${manifest.job && html`<dt>Job</dt><dd><a href=${link(["jobs", manifest.job])}>${manifest.job}</a></dd>`}
    <dt>Trained with</dt><dd>torch ${environment?.torch}, Modelwright ${environment?.modelwright}, Python ${environment?.python}</dd>
    <dt>Licence</dt><dd>${spec.license ?? "not recorded"}</dd>
  </dl>`;
}

function Card({ path, manifest }) {
  const secret = useSignal(key);
  return html`${secret
      ? html`<p class="quiet small">The card as a page needs a key with each request, which a link cannot send: it can be downloaded under Downloads.</p>`
      : html`<p><a href=${url(`${path}/card.html`).href} target="_blank" rel="noopener">Open the model card</a> <span class="quiet small">everything about this version on one page, to be read or printed</span></p>`}
    <div class="wide" tabindex="0" role="region" aria-label="Files">
      <table>
        <thead><tr><th scope="col">File</th><th scope="col" class="number">Size</th><th scope="col">SHA-256</th></tr></thead>
        <tbody>
          ${Object.entries(manifest.files).map(
            ([file, about]) => html`<tr key=${file}><th scope="row" class="name">${file}</th><td class="number">${bytes(about.bytes)}</td><td><code title=${about.sha256}>${about.sha256.slice(0, 12)}…</code></td></tr>`,
          )}
        </tbody>
      </table>
    </div>
    <p class="digest small quiet">Digest of the version: ${manifest.digest}</p>`;
}
