// Data sets: the list with uploads, or one of them.
import { html } from "../vendor/preact.js";
import { link } from "../core/address.js";
import { ago, bytes, count } from "../core/format.js";
import { usePages } from "../core/resource.js";
import { Empty, Failure, Loading, More } from "../parts/states.js";
import { Uploader } from "../parts/uploader.js";
import { Dataset } from "./dataset.js";

export default function Data({ parts, query }) {
  if (parts.length) return html`<${Dataset} key=${parts[0]} name=${parts[0]} version=${query.version} />`;
  return html`<${List} />`;
}

function List() {
  const pages = usePages("v1/datasets", { idOf: (each) => each.name, every: 15 });
  return html`<div class="heading"><h1>Data</h1></div>
    <${Uploader} onUploaded=${pages.reload} />
    <section class="sheet">
      <h2>Data sets</h2>
      <${Failure} error=${pages.error} retry=${pages.reload} />
      ${!pages.ready && !pages.error && html`<${Loading} />`}
      ${pages.ready && pages.items.length === 0 && html`<${Empty} title="No data set yet"><p>Upload a table above: one row for each example, the column names in the first line. Or a zip file of images, with a folder for each class.</p><//>`}
      ${pages.items.length > 0 && html`<${Table} datasets=${pages.items} />`}
      <${More} pages=${pages} />
    </section>`;
}

function Table({ datasets }) {
  return html`<div class="wide" tabindex="0" role="region" aria-label="Data sets">
    <table>
      <thead>
        <tr><th scope="col">Name</th><th scope="col" class="number">Rows</th><th scope="col" class="number">Columns</th><th scope="col" class="number">Size</th><th scope="col" class="number">Version</th><th scope="col">Uploaded</th><th scope="col"><span class="unseen">Actions</span></th></tr>
      </thead>
      <tbody>
        ${datasets.map((each) => html`<${Row} key=${each.name} dataset=${each} />`)}
      </tbody>
    </table>
  </div>`;
}

function Row({ dataset }) {
  const name = html`<td class="name"><a href=${link(["data", dataset.name])}>${dataset.name}</a></td>`;
  if (dataset.error) return html`<tr>${name}<td colspan="6"><span class="mark bad">damaged</span> ${dataset.error.detail}</td></tr>`;
  return html`<tr>
    ${name}
    <td class="number">${count(dataset.rows)}</td>
    <td class="number">${count(dataset.columns.length)}</td>
    <td class="number">${bytes(dataset.bytes)}</td>
    <td class="number">${dataset.version}</td>
    <td class="cell" title=${dataset.created_at}>${ago(dataset.created_at)}</td>
    <td class="number"><a href=${link(["train"], { dataset: dataset.name })} aria-label=${`Train with ${dataset.name}`}>Train</a></td>
  </tr>`;
}
