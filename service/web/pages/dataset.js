// One data set: what is in it, how it was read, and what to correct.
import { html, useState } from "../vendor/preact.js";
import { go, link } from "../core/address.js";
import { call } from "../core/api.js";
import { ago, bytes, count, moment } from "../core/format.js";
import { useResource } from "../core/resource.js";
import { Confirm } from "../parts/dialog.js";
import { Empty, Ready } from "../parts/states.js";
import { Uploader } from "../parts/uploader.js";
import { Columns } from "./dataset_columns.js";
import { Items } from "./dataset_items.js";
import { Reading } from "./dataset_reading.js";
import { Rows } from "./dataset_rows.js";

const MOST_ROWS = 200;

export function Dataset({ name, version }) {
  const path = `v1/datasets/${encodeURIComponent(name)}`;
  const versions = useResource(`${path}/versions`, { query: { limit: 100 } });
  const rows = useResource(`${path}/rows`, { query: { limit: MOST_ROWS } });
  const changed = () => {
    versions.reload();
    rows.reload();
    go(["data", name], {}, { replace: true }); // the newest version is shown
  };
  if (versions.error?.status === 404) {
    return html`<${Path} name=${name} /><${Empty} title="There is no data set of this name"><p><a href=${link(["data"])}>See all data sets</a></p><//>`;
  }
  return html`<${Path} name=${name} />
    <${Ready} of=${versions}>
      ${({ data }) => {
        const shown = data.find((each) => String(each.version) === version) ?? data[0];
        return html`<${Shown} key=${shown.version} dataset=${shown} versions=${data} rows=${rows} path=${path} changed=${changed} />`;
      }}
    <//>`;
}

function Path({ name }) {
  return html`<p class="path"><a href=${link(["data"])}>Data</a> / ${name}</p>`;
}

function Shown({ dataset, versions, rows, path, changed }) {
  const [uploading, setUploading] = useState(false);
  const newest = dataset === versions[0];
  const head = newest ? rows : null;
  return html`<div class="heading">
      <h1>${dataset.name}</h1>
      <div class="row">
        <${Delete} name=${dataset.name} versions=${versions} path=${path} />
        <button type="button" aria-expanded=${uploading ? "true" : "false"} onClick=${() => setUploading(!uploading)}>Upload a new version</button>
        <a class="button primary" href=${link(["train"], { dataset: dataset.name, version: newest ? "" : dataset.version })}>Train with this</a>
      </div>
    </div>
    ${uploading && html`<${Uploader} name=${dataset.name} onUploaded=${changed} />`}
    ${dataset.error
      ? html`<p class="failure" role="alert">This version is damaged: ${dataset.error.detail} Upload the file again, or choose another version.</p>`
      : html`<${Facts} dataset=${dataset} versions=${versions} />
          <${Notes} notes=${dataset.notes} />
          <${Items} dataset=${dataset} rows=${head?.data?.data} path=${path} />
          <${Columns} dataset=${dataset} rows=${head?.data?.data} editable=${newest} path=${path} changed=${changed} />
          <${Reading} dataset=${dataset} editable=${newest} path=${path} changed=${changed} />
          ${head
            ? html`<${Rows} rows=${head} columns=${dataset.columns} all=${dataset.rows} />`
            : html`<section class="sheet"><h2>First rows</h2><p class="quiet">Rows are shown of the newest version only.</p></section>`}`}`;
}

function Facts({ dataset, versions }) {
  const choose = (event) => go(["data", dataset.name], { version: event.target.value === String(versions[0].version) ? "" : event.target.value });
  return html`<section class="sheet">
    <dl class="figures">
      <div><dt>Rows</dt><dd>${count(dataset.rows)}</dd></div>
      <div><dt>Columns</dt><dd>${count(dataset.columns.length)}</dd></div>
      <div><dt>Size</dt><dd>${bytes(dataset.bytes)}</dd></div>
      <div><dt>Uploaded</dt><dd title=${moment(dataset.created_at)}>${ago(dataset.created_at)}</dd></div>
      <div>
        <dt><label for="version">Version</label></dt>
        <dd>
          <select id="version" value=${dataset.version} onChange=${choose}>
            ${versions.map((each, at) => html`<option value=${each.version}>${each.version}${at === 0 ? " (newest)" : ""}</option>`)}
          </select>
        </dd>
      </div>
    </dl>
  </section>`;
}

/** What the service found out while it read the file, in sentences. */
function Notes({ notes }) {
  if (notes.length === 0) return null;
  return html`<section class="sheet">
    <h2>What was noticed while reading</h2>
    <ul class="notes">
      ${notes.map((each) => html`<li>${each}</li>`)}
    </ul>
  </section>`;
}

function Delete({ name, versions, path }) {
  const [state, setState] = useState({ open: false });
  const remove = async () => {
    setState({ open: true, busy: true });
    try {
      await call(path, { method: "DELETE" });
      go(["data"]);
    } catch (error) {
      setState({ open: true, error });
    }
  };
  return html`<button type="button" onClick=${() => setState({ open: true })}>Delete</button>
    ${state.open &&
    html`<${Confirm} title=${`Delete ${name}?`} action="Delete" danger onConfirm=${remove} onClose=${() => setState({ open: false })} error=${state.error} busy=${state.busy}>
      <p>${versions.length === 1 ? "Its only version is" : `All its ${versions.length} versions are`} deleted for good. Models that were trained with it stay. Queued trainings that need it will fail.</p>
    <//>`}`;
}
