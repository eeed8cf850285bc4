// A sweep: how far it is, what its trials came to, and which is the best.
import { html, useState } from "../vendor/preact.js";
import { link } from "../core/address.js";
import { call } from "../core/api.js";
import { count, moment, number } from "../core/format.js";
import { useResource } from "../core/resource.js";
import { Confirm } from "../parts/dialog.js";
import { Plot } from "../parts/plot.js";
import { Failure, Ready } from "../parts/states.js";
import { Status } from "../parts/status.js";

const EVERY = 3; // seconds
const PLOTS = { history: "what each trial came to, and the best so far", parallel_coordinates: "the settings of each trial and what it came to", importance: "how much each setting decides" };

export function Sweep({ sweepId }) {
  const sweep = useResource(`v1/sweeps/${sweepId}`, { every: EVERY });
  if (sweep.error?.status === 404) {
    return html`<div class="empty"><h1>There is no such sweep</h1><p>Sweeps are deleted some time after their end, if the operator says so. <a href=${link(["sweeps"])}>All sweeps</a></p></div>`;
  }
  return html`<p class="path"><a href=${link(["sweeps"])}>Sweeps</a> / ${sweepId}</p>
    <${Ready} of=${sweep}>${(found) => html`<${Shown} sweep=${found} reload=${sweep.reload} />`}<//>`;
}

function Shown({ sweep, reload }) {
  return html`<div class="heading">
      <h1>Sweep of ${sweep.model_name}</h1>
      <${Actions} sweep=${sweep} reload=${reload} />
    </div>
    <${Facts} sweep=${sweep} />
    <${Plots} sweep=${sweep} />
    <${Trials} sweep=${sweep} />`;
}

function Actions({ sweep, reload }) {
  const [state, setState] = useState({ busy: false, error: null, asking: false });
  const ask = async (verb) => {
    setState((was) => ({ ...was, busy: true, error: null }));
    try {
      await call(`v1/sweeps/${sweep.id}/${verb}`, { method: "POST" });
      setState({ busy: false, error: null, asking: false });
      reload();
    } catch (error) {
      setState((was) => ({ ...was, busy: false, error }));
    }
  };
  const { busy, error, asking } = state;
  return html`<div>
    <div class="row">
      ${sweep.status === "running" && html`<button type="button" key="go" disabled=${busy} onClick=${() => ask("pause")}>Pause</button>`}
      ${sweep.status === "paused" && html`<button type="button" key="go" class="primary" disabled=${busy} onClick=${() => ask("resume")}>Resume</button>`}
      ${sweep.finished_at === null && html`<button type="button" disabled=${busy} onClick=${() => setState((was) => ({ ...was, asking: true }))}>Cancel</button>`}
    </div>
    ${!asking && html`<${Failure} error=${error} />`}
    ${asking &&
    html`<${Confirm}
      title="Cancel this sweep?"
      action="Cancel the sweep"
      danger
      busy=${busy}
      error=${error}
      onConfirm=${() => ask("cancel")}
      onClose=${() => setState((was) => ({ ...was, asking: false, error: null }))}
    >
      <p>It and its trials end without a model. To go on later, pause it instead.</p>
    <//>`}
  </div>`;
}

function Facts({ sweep }) {
  const { settings, best, result, error } = sweep;
  return html`<section class="sheet" aria-label="Progress">
    <p class="row"><span role="status"><${Status} job=${sweep} /></span><span>${sweep.finished_at ? moment(sweep.finished_at) : `since ${moment(sweep.created_at)}`}</span></p>
    ${error && html`<p class="warning">${error.detail}</p>`}
    <dl class="figures">
      <div><dt>Trials</dt><dd>${count(sweep.trials.length)} <span class="quiet small">of ${count(settings.trials)}</span></dd></div>
      <div><dt>Method</dt><dd>${settings.method}</dd></div>
      <div><dt>Objective</dt><dd>${settings.objective}</dd></div>
      ${best && html`<div><dt>Best</dt><dd>${number(best.objective)} <span class="quiet small">trial ${best.number}</span></dd></div>`}
      ${result && html`<div><dt>Model</dt><dd><a href=${link(["models", result.model_name, String(result.version)])}>${result.model_name} version ${result.version}</a></dd></div>`}
      ${sweep.winner_job_id && html`<div><dt>Trained again by</dt><dd><a href=${link(["jobs", sweep.winner_job_id])}>its job</a></dd></div>`}
    </dl>
  </section>`;
}

// Drawn anew only when another trial has come to something.
function Plots({ sweep }) {
  const done = sweep.trials.filter((each) => each.objective !== null).length;
  if (done === 0) return null;
  return html`<section class="sheet" aria-label="Plots">
    <h2>Plots</h2>
    ${Object.entries(PLOTS).map(([name, label]) => html`<${Plot} key=${`${name} ${done}`} path=${`v1/sweeps/${sweep.id}/plots/${name}`} label=${label} />`)}
  </section>`;
}

function Trials({ sweep }) {
  const names = Object.keys(sweep.settings.search ?? {});
  if (sweep.trials.length === 0) return html`<section class="sheet"><h2>Trials</h2><p class="quiet">The first ones are being chosen.</p></section>`;
  return html`<section class="sheet" aria-label="Trials">
    <h2>Trials</h2>
    <div class="wide" tabindex="0" role="region" aria-label="Settings and objectives of the trials">
      <table>
        <thead>
          <tr><th scope="col" class="number">Trial</th><th scope="col">Status</th><th scope="col" class="number">${sweep.settings.objective}</th>${names.map((each) => html`<th scope="col">${each}</th>`)}</tr>
        </thead>
        <tbody>
          ${sweep.trials.map((each) => html`<${Trial} key=${each.number} trial=${each} names=${names} best=${sweep.best?.number === each.number} />`)}
        </tbody>
      </table>
    </div>
  </section>`;
}

function Trial({ trial, names, best }) {
  const name = `Trial ${trial.number}${best ? ", the best" : ""}`;
  return html`<tr>
    <th scope="row" class="number">${trial.job_id ? html`<a href=${link(["jobs", trial.job_id])} aria-label=${name}>${trial.number}</a>` : trial.number}</th>
    <td><${Status} job=${trial} />${best && html` <span class="mark good">best</span>`}${trial.error && html`<div class="small quiet">${trial.error.detail}</div>`}</td>
    <td class="number">${trial.objective === null ? "–" : number(trial.objective)}</td>
    ${names.map((each) => html`<td>${text(trial.values[each])}</td>`)}
  </tr>`;
}

function text(value) {
  return typeof value === "number" ? number(value) : JSON.stringify(value);
}
