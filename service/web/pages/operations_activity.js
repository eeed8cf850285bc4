// What the service does now: requests, errors, the queue, memory, the disk.
import { html } from "../vendor/preact.js";
import { link } from "../core/address.js";
import { bytes, count, number, percent } from "../core/format.js";
import { sumOf } from "../core/prometheus.js";
import { Curve } from "../parts/curve.js";
import { Failure, Loading } from "../parts/states.js";

const STATUSES = ["running", "queued", "paused", "succeeded", "failed", "cancelled"];

export function Activity({ figures, inside }) {
  const { metrics, rates, error } = figures;
  if (metrics === null) return error ? html`<${Failure} error=${error} />` : html`<${Loading} what="Reading the figures" />`;
  return html`<${Failure} error=${error} />
    <${Requests} rates=${rates} metrics=${metrics} />
    <div class="grid">
      <${Queue} metrics=${metrics} />
      <${Resources} metrics=${metrics} />
    </div>
    ${inside && html`<${WarmModels} inside=${inside} metrics=${metrics} />`}`;
}

function Requests({ rates, metrics }) {
  const last = (name) => (rates[name].length ? rates[name].at(-1) : null);
  const a = (name) => (last(name) === null ? "–" : number(Math.round(last(name) * 10) / 10));
  const since = rates.at.map((at) => Math.round((at - rates.at.at(-1)) * 10) / 10);
  return html`<section class="sheet" aria-label="Requests">
    <h2>Requests a second</h2>
    <dl class="figures">
      <div><dt>All</dt><dd>${a("requests")}</dd></div>
      <div><dt>Predictions</dt><dd>${a("predictions")}</dd></div>
      <div><dt>Refused (4xx)</dt><dd>${a("refused")}</dd></div>
      <div><dt>Failed (5xx)</dt><dd class=${last("failed") > 0 ? "bad" : ""}>${a("failed")}</dd></div>
      <div><dt>Event streams</dt><dd>${count(sumOf(metrics, "modelwright_event_streams"))}</dd></div>
      <div><dt>Predictions that wait</dt><dd>${count(sumOf(metrics, "modelwright_predictions_waiting"))}</dd></div>
    </dl>
    ${since.length > 1
      ? html`<${Curve}
          x=${since}
          series=${[
            { label: "All", values: rates.requests },
            { label: "Refused", values: rates.refused },
            { label: "Failed", values: rates.failed },
          ]}
          xLabel="Seconds from now"
          height=${180}
          label=${`Requests a second over the last ${Math.round(-since[0])} seconds; the latest: ${a("requests")}, of which ${a("failed")} failed`}
        />`
      : html`<p class="quiet">Two readings, five seconds apart, make the first figure.</p>`}
    <p class="quiet small">The requests of this page are among them. The curve is kept while the page is open.</p>
  </section>`;
}

function Queue({ metrics }) {
  const jobs = (status) => sumOf(metrics, "modelwright_jobs", (labels) => labels.status === status);
  const [used, slots] = [sumOf(metrics, "modelwright_training_slots_in_use"), sumOf(metrics, "modelwright_training_slots")];
  return html`<section class="sheet" aria-label="Trainings">
    <h2>Trainings</h2>
    ${sumOf(metrics, "modelwright_journal_up") === 0 && html`<p class="failure">The journal cannot be read at the moment: the service tries again by itself.</p>`}
    ${sumOf(metrics, "modelwright_trainer_server_ready") === 0 && html`<p class="warning">Trainings cannot start yet: the process that starts them is being started.</p>`}
    <p>${count(used)} of ${count(slots)} ${slots === 1 ? "place is" : "places are"} taken.</p>
    <table>
      <tbody>
        ${STATUSES.map(
          (status) => html`<tr>
            <th scope="row"><a href=${link(["jobs"], { status })}>${status}</a></th>
            <td class="number">${count(jobs(status))}</td>
          </tr>`,
        )}
      </tbody>
    </table>
  </section>`;
}

function Resources({ metrics }) {
  const [free, size] = [sumOf(metrics, "modelwright_home_free_bytes"), sumOf(metrics, "modelwright_home_size_bytes")];
  const used = size ? (size - free) / size : null;
  return html`<section class="sheet" aria-label="Resources">
    <h2>Disk and memory</h2>
    ${used > 0.9 && html`<p class="warning">The disk is nearly full. Delete models and data sets that nobody needs, or set a retention rule.</p>`}
    <p id="disk">The disk with the home: ${bytes(free)} free of ${bytes(size)}</p>
    <div class="bar"><progress max="1" value=${used ?? 0} aria-labelledby="disk"></progress><span class="small">${percent(used)}</span></div>
    <table>
      <tbody>
        <tr><th scope="row">Memory of the service</th><td class="number">${bytes(sumOf(metrics, "process_resident_memory_bytes"))}</td></tr>
        <tr><th scope="row">Bodies of requests</th><td class="number">${bytes(sumOf(metrics, "modelwright_request_memory_bytes"))}</td></tr>
        <tr><th scope="row">Models in memory</th><td class="number">${count(sumOf(metrics, "modelwright_warm_models"))}, ${bytes(sumOf(metrics, "modelwright_warm_model_bytes"))}</td></tr>
        <tr><th scope="row">Open files</th><td class="number">${count(sumOf(metrics, "process_open_fds"))}</td></tr>
      </tbody>
    </table>
    <p class="quiet small">Without the trainings, which are processes of their own.</p>
  </section>`;
}

function WarmModels({ inside }) {
  const { warm_models: models, warm_model_count: all, warm_model_bytes: size, settings, workers, process } = inside;
  return html`<section class="sheet" aria-label="Models in memory">
    <div class="heading"><h2>Models in memory</h2><span class="quiet">${bytes(size)} of ${bytes(settings.warm_model_bytes)}</span></div>
    ${workers > 1 && html`<p class="quiet">Of ${workers} processes that answer, this is the one with the id ${process}; each has its own.</p>`}
    ${models.length === 0
      ? html`<p class="quiet">None: a model is loaded by its first prediction.</p>`
      : html`<div class="wide tall" tabindex="0" role="region" aria-label="List of the models in memory">
          <table>
            <thead><tr><th scope="col">Versions</th><th scope="col" class="number">Memory</th></tr></thead>
            <tbody>
              ${models.map(
                (model) => html`<tr key=${model.versions.join()}>
                  <td>${model.versions.length ? model.versions.map((each) => html`<a href=${link(["models", ...each.split("@")])}>${each}</a> `) : html`<span class="quiet">deleted since</span>`}</td>
                  <td class="number">${bytes(model.bytes)}</td>
                </tr>`,
              )}
            </tbody>
          </table>
        </div>`}
    ${all > models.length && html`<p class="quiet small">The ${count(models.length)} used last, of ${count(all)}.</p>`}
  </section>`;
}
