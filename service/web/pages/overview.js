// The first page: what is there, and what to do next.
import { html, useRef, useState } from "../vendor/preact.js";
import { go, link } from "../core/address.js";
import { ago } from "../core/format.js";
import { useResource } from "../core/resource.js";
import { specSchema } from "../core/spec_schema.js";
import { submit } from "../core/submit.js";
import { Failure, Ready } from "../parts/states.js";
import { Status } from "../parts/status.js";
import { Uploader } from "../parts/uploader.js";

export default function Overview() {
  const models = useResource("v1/models", { query: { limit: 5 }, every: 10 });
  const jobs = useResource("v1/training-jobs", { query: { limit: 5 }, every: 5 });
  const datasets = useResource("v1/datasets", { query: { limit: 5 }, every: 10 });
  const nothing = [models, jobs, datasets].every((each) => each.data?.data.length === 0);
  const first = useRef(false); // the welcome stays until its uploads are done, also when the first of them is listed
  first.current ||= nothing;
  if (first.current) return html`<${Welcome} />`;
  return html`<div class="heading">
      <h1>Overview</h1>
      <div class="row"><a class="button" href=${link(["data"])}>Upload data</a><a class="button primary" href=${link(["train"])}>Train a model</a></div>
    </div>
    <div class="grid">
      <section class="sheet">
        <h2>Models</h2>
        <${Ready} of=${models}>${(page) => html`<${Models} models=${page.data} more=${page.has_more} />`}<//>
      </section>
      <section class="sheet">
        <h2>Training jobs</h2>
        <${Ready} of=${jobs}>${(page) => html`<${Jobs} jobs=${page.data} more=${page.has_more} />`}<//>
      </section>
      <section class="sheet">
        <h2>Data sets</h2>
        <${Ready} of=${datasets}>${(page) => html`<${Datasets} datasets=${page.data} more=${page.has_more} />`}<//>
      </section>
    </div>`;
}

/** The first visit: two ways to a first model. */
function Welcome() {
  const [state, setState] = useState({ busy: false, error: null });
  const tryLine = async () => {
    setState({ busy: true, error: null });
    try {
      const { example } = await specSchema();
      const job = await submit(example);
      go(["jobs", job.id]);
    } catch (error) {
      setState({ busy: false, error });
    }
  };
  return html`<div class="welcome">
      <h1 class="unseen">Overview</h1>
      <p class="lead">Train your first model</p>
      <p>From a table to predictions: you need no code for it.</p>
      <ol class="steps"><li>Upload a table</li><li>Choose the column to predict</li><li>Train</li><li>Try the model</li></ol>
    </div>
    <${Uploader} />
    <section class="sheet">
      <div class="row spread">
        <div>
          <h2>No file at hand?</h2>
          <p class="quiet">The PyTorch tutorial's straight line: 50 points, from which a weight and a bias are learned in a second or two.</p>
        </div>
        <button type="button" disabled=${state.busy} onClick=${tryLine}>${state.busy ? "Sending …" : "Train the example"}</button>
      </div>
      <${Failure} error=${state.error} />
    </section>`;
}

function Models({ models, more }) {
  if (models.length === 0) return html`<p class="quiet">None yet. <a href=${link(["train"])}>Train the first one.</a></p>`;
  return html`<ul class="plain">
    ${models.map(
      (each) => html`<li>
        <a href=${link(["models", each.name])}>${each.name}</a>
        <span class="quiet small"> version ${each.latest ?? "–"}, ${ago(each.created_at)}</span>
      </li>`,
    )}
    ${more && html`<li><a href=${link(["models"])}>All models</a></li>`}
  </ul>`;
}

function Jobs({ jobs, more }) {
  if (jobs.length === 0) return html`<p class="quiet">None yet.</p>`;
  return html`<ul class="plain">
    ${jobs.map(
      (each) => html`<li>
        <a href=${link(["jobs", each.id])}>${each.model_name}</a> <${Status} job=${each} />
        <span class="quiet small"> ${ago(each.created_at)}</span>
      </li>`,
    )}
    ${more && html`<li><a href=${link(["jobs"])}>All jobs</a></li>`}
  </ul>`;
}

function Datasets({ datasets, more }) {
  if (datasets.length === 0) return html`<p class="quiet">None yet. <a href=${link(["data"])}>Upload a file:</a> CSV, Excel, Parquet, Arrow, JSON Lines.</p>`;
  return html`<ul class="plain">
    ${datasets.map(
      (each) => html`<li>
        <a href=${link(["data", each.name])}>${each.name}</a>
        <span class="quiet small"> ${each.rows?.toLocaleString("en")} rows</span>
      </li>`,
    )}
    ${more && html`<li><a href=${link(["data"])}>All data sets</a></li>`}
  </ul>`;
}
