// Training jobs: a list with filters, or one of them.
import { html, useEffect, useState } from "../vendor/preact.js";
import { go, link } from "../core/address.js";
import { ago, count, duration, number } from "../core/format.js";
import { useResource } from "../core/resource.js";
import { Field } from "../parts/field.js";
import { Empty, Ready } from "../parts/states.js";
import { Status } from "../parts/status.js";
import { Bar, Job } from "./job.js";
import { failureTitle } from "./job_failure.js";

const STATUSES = ["running", "queued", "paused", "succeeded", "failed", "cancelled"];
const LIMIT = 50;
const EVERY = 4; // seconds, while one of the jobs shown goes on
const AT_REST = 15;

export default function Jobs({ parts, query }) {
  return parts.length ? html`<${Job} key=${parts[0]} jobId=${parts[0]} query=${query} />` : html`<${List} query=${query} />`;
}

/** A page of the list. The address has the filters, and the job after which the page begins: it stays in its place meanwhile. */
function List({ query }) {
  const { status, model_name: model, after } = query;
  const [every, setEvery] = useState(EVERY);
  const jobs = useResource("v1/training-jobs", { query: { status, model_name: model, after, limit: LIMIT }, every });
  const lively = jobs.data?.data.some((job) => !job.finished_at) ?? true;
  useEffect(() => setEvery(lively ? EVERY : AT_REST), [lively]);
  return html`<div class="heading">
      <h1>Jobs</h1>
      <a class="button primary" href=${link(["train"])}>Train a model</a>
    </div>
    <div class="filters">
      <nav class="chips" aria-label="Status">
        <a href=${link(["jobs"], { model_name: model })} aria-current=${status ? undefined : "true"}>All</a>
        ${STATUSES.map((each) => html`<a href=${link(["jobs"], { status: each, model_name: model })} aria-current=${each === status ? "true" : undefined}>${each}</a>`)}
      </nav>
      <${ModelFilter} key=${model} model=${model} status=${status} />
    </div>
    <${Ready} of=${jobs}>${(page) => html`<${Table} jobs=${page.data} query=${query} />`}<//>
    <nav class="row more" aria-label="Pages of the list">
      ${after && html`<a class="button" href=${link(["jobs"], { status, model_name: model })}>Newest</a>`}
      ${jobs.data?.has_more && html`<a class="button" href=${link(["jobs"], { status, model_name: model, after: jobs.data.data.at(-1).id })}>Older</a>`}
    </nav>`;
}

function ModelFilter({ model = "", status }) {
  const [name, setName] = useState(model);
  const apply = (event) => {
    event.preventDefault();
    go(["jobs"], { status, model_name: name.trim() });
  };
  return html`<form class="row" role="search" onSubmit=${apply}>
    <${Field} label="Model">
      ${(about) => html`<input ...${about} type="search" placeholder="its whole name" maxlength="64" value=${name} onInput=${(event) => setName(event.target.value)} />`}
    <//>
    <button type="submit">Filter</button>
  </form>`;
}

function Table({ jobs, query }) {
  if (jobs.length === 0 && query.after) return html`<${Empty} title="There are no older jobs" />`;
  if (jobs.length === 0 && (query.status || query.model_name)) {
    return html`<${Empty} title="No job is like that"><p><a href=${link(["jobs"])}>Show all jobs</a></p><//>`;
  }
  if (jobs.length === 0) {
    return html`<${Empty} title="Nothing has been trained yet"><p>A training job makes a version of a model. <a href=${link(["train"])}>Train the first one</a></p><//>`;
  }
  return html`<div class="sheet wide" tabindex="0" role="region" aria-label="Training jobs">
    <table class="jobs">
      <thead>
        <tr><th scope="col">Model</th><th scope="col">Status</th><th scope="col">Progress</th><th scope="col" class="number">Loss</th><th scope="col">Data</th><th scope="col">Submitted</th><th scope="col">Took</th></tr>
      </thead>
      <tbody>
        ${jobs.map((job) => html`<${Row} key=${job.id} job=${job} />`)}
      </tbody>
    </table>
  </div>`;
}

function Row({ job }) {
  const loss = job.metrics?.validation_loss ?? job.metrics?.train_loss;
  const begun = job.started_at && job.status !== "queued" && job.status !== "paused";
  const seconds = begun ? ((job.finished_at ? Date.parse(job.finished_at) : Date.now()) - Date.parse(job.started_at)) / 1000 : null;
  return html`<tr>
    <th scope="row"><a href=${link(["jobs", job.id])}>${job.model_name}</a></th>
    <td>
      <${Status} job=${job} />
      ${job.status === "failed" && html`<div class="small quiet">${failureTitle(job.error)}</div>`}
      ${job.sweep && html`<div class="small quiet">${job.sweep.winner ? "best of its sweep" : `trial ${job.sweep.number} of a sweep`}</div>`}
      ${job.result?.version && html`<div class="small"><a href=${link(["models", job.result.model_name, String(job.result.version)])}>version ${job.result.version}</a></div>`}
    </td>
    <td class="progress">
      ${job.status !== "queued" && html`<${Bar} progress=${job.progress} label=${`Epochs done of ${job.model_name}`} />
      <div class="small quiet">${count(job.progress?.epoch ?? 0)} of ${count(job.progress?.epochs ?? job.spec?.training?.epochs)} epochs${job.status === "running" && job.progress?.eta_seconds ? `, ${duration(job.progress.eta_seconds)} left` : ""}</div>`}
    </td>
    <td class="number">${number(loss)}</td>
    <td>${job.spec?.data?.dataset ?? job.spec?.data?.kind ?? "–"}</td>
    <td title=${job.created_at}>${ago(job.created_at)}</td>
    <td>${duration(seconds)}</td>
  </tr>`;
}
