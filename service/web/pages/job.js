// A training job: what it does now, how it learns, what became of it.
import { html, useEffect, useRef, useState } from "../vendor/preact.js";
import { link } from "../core/address.js";
import { call } from "../core/api.js";
import { ago, count, duration, moment, number, percent } from "../core/format.js";
import { useResource } from "../core/resource.js";
import { Confirm } from "../parts/dialog.js";
import { Failure, Ready } from "../parts/states.js";
import { Status } from "../parts/status.js";
import { Curves } from "./job_curves.js";
import { JobFailure } from "./job_failure.js";
import { useHistory } from "./job_history.js";
import { JobResult } from "./job_result.js";
import { JobTabs } from "./job_tabs.js";

const EVERY = 15; // seconds; what changes in between is told by events

export function Job({ jobId, query }) {
  const job = useResource(`v1/training-jobs/${jobId}`, { every: EVERY });
  if (job.error?.status === 404) {
    return html`<div class="empty"><h1>There is no such job</h1><p>Jobs are deleted some time after their end, if the operator says so. <a href=${link(["jobs"])}>All jobs</a></p></div>`;
  }
  return html`<p class="path"><a href=${link(["jobs"])}>Jobs</a> / ${jobId}</p>
    <${Ready} of=${job}>${(found) => html`<${Shown} key=${found.id} job=${found} reload=${job.reload} query=${query} />`}<//>`;
}

function Shown({ job, reload, query }) {
  const history = useHistory(job.id, job.finished_at !== null, reload);
  const heading = useRef(null);
  return html`<div class="heading">
      <h1 ref=${heading} tabindex="-1">Training of ${job.model_name}</h1>
      <${Actions} job=${job} reload=${reload} gone=${() => heading.current.focus({ preventScroll: true })} />
    </div>
    ${job.status === "failed" && html`<${JobFailure} job=${job} />`}
    <${Progress} job=${job} progress=${history.progress ?? job.progress} />
    ${job.result && html`<${JobResult} job=${job} />`}
    <${Failure} error=${history.error} />
    <${Curves} job=${job} history=${history} query=${query} />
    <${JobTabs} job=${job} history=${history} query=${query} />`;
}

/** What can be asked of the job. `gone` is called when the button that had the focus is no longer there. */
function Actions({ job, reload, gone }) {
  const [state, setState] = useState({ busy: false, error: null, asking: false });
  const ask = async (verb) => {
    setState((was) => ({ ...was, busy: true, error: null }));
    try {
      await call(`v1/training-jobs/${job.id}/${verb}`, { method: "POST" });
      setState({ busy: false, error: null, asking: false });
      reload();
    } catch (error) {
      setState((was) => ({ ...was, busy: false, error }));
    }
  };
  const { busy, error, asking } = state;
  const alive = job.finished_at === null;
  const had = useRef(alive);
  useEffect(() => {
    if (had.current && !alive && document.activeElement === document.body) gone();
    had.current = alive;
  }, [alive]);
  const resumable = job.status === "paused" || job.requested === "pause" || ["no_space", "unavailable"].includes(job.error?.code);
  return html`<div>
    <div class="row">
      ${resumable && html`<button type="button" key="go" class="primary" disabled=${busy} onClick=${() => ask("resume")}>Resume</button>`}
      ${!resumable && alive && html`<button type="button" key="go" disabled=${busy || job.requested} onClick=${() => ask("pause")}>Pause</button>`}
      ${alive && html`<button type="button" disabled=${busy || job.requested === "cancel"} onClick=${() => setState((was) => ({ ...was, asking: true }))}>Cancel</button>`}
      <a class="button" href=${link(["train"], { job: job.id })}>Train again with changes</a>
    </div>
    ${!asking && html`<${Failure} error=${error} />`}
    ${asking &&
    html`<${Confirm}
      title="Cancel this training?"
      action="Cancel the training"
      danger
      busy=${busy}
      error=${error}
      onConfirm=${() => ask("cancel")}
      onClose=${() => setState((was) => ({ ...was, asking: false, error: null }))}
    >
      <p>It ends without a model, and cannot be resumed. To go on later, pause it instead.</p>
    <//>`}
  </div>`;
}

function Progress({ job, progress }) {
  const running = job.status === "running";
  const losses = job.metrics ?? {};
  return html`<section class="sheet" aria-label="Progress">
    <p class="row"><span role="status"><${Status} job=${job} /></span><span>${situation(job)}</span></p>
    ${job.status !== "queued" && html`<${Bar} progress=${progress} label="Epochs done" />`}
    <dl class="figures">
      <div><dt>Epoch</dt><dd>${count(progress?.epoch ?? 0)} <span class="quiet small">of ${count(progress?.epochs ?? job.spec?.training?.epochs)}</span></dd></div>
      ${running && html`<div><dt>Time left</dt><dd>${duration(progress?.eta_seconds)}</dd></div>`}
      ${running && html`<div><dt>Rows a second</dt><dd>${progress?.samples_per_second ? count(Math.round(progress.samples_per_second)) : "–"}</dd></div>`}
      ${!running && job.started_at && job.finished_at && html`<div><dt>Took</dt><dd>${duration((Date.parse(job.finished_at) - Date.parse(job.started_at)) / 1000)}</dd></div>`}
      ${!running && losses.train_loss !== undefined && html`<div><dt>Last train loss</dt><dd>${number(losses.train_loss)}</dd></div>`}
      ${!running && losses.validation_loss !== undefined && html`<div><dt>Last validation loss</dt><dd>${number(losses.validation_loss)}</dd></div>`}
      <div><dt>Attempt</dt><dd>${job.attempt}</dd></div>
      <div><dt>Data</dt><dd>${dataOf(job)}</dd></div>
      <div><dt>Model</dt><dd>${job.spec?.model?.kind ?? "–"}</dd></div>
    </dl>
  </section>`;
}

/** A bar with its share in figures. */
export function Bar({ progress, label }) {
  const fraction = progress?.fraction ?? 0;
  return html`<div class="bar"><progress max="1" value=${fraction} aria-label=${label}></progress><span class="small">${percent(fraction)}</span></div>`;
}

function dataOf({ spec }) {
  const data = spec?.data ?? {};
  if (data.dataset) return html`<a href=${link(["data", data.dataset])}>${data.dataset}</a> <span class="quiet small">version ${data.version}</span>`;
  return data.kind ?? "–";
}

function situation(job) {
  if (job.requested === "pause") return "It stops after the step that it is at, and saves where it stands.";
  if (job.requested === "cancel") return "It is being stopped.";
  if (job.status === "queued" && job.attempt > 0) return "It goes on from its last checkpoint when a place is free.";
  if (job.status === "queued") return html`It starts when a place is free. <a href=${link(["jobs"], { status: "running" })}>What is running</a>`;
  if (job.status === "running") return html`since ${moment(job.started_at)}`;
  if (job.status === "paused") return "It goes on from its checkpoint when it is resumed.";
  return html`${ago(job.finished_at)}, ${moment(job.finished_at)}`;
}
