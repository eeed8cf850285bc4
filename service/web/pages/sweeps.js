// Sweeps: a list, or one of them.
import { html } from "../vendor/preact.js";
import { link } from "../core/address.js";
import { ago, count, duration, number } from "../core/format.js";
import { useResource } from "../core/resource.js";
import { Empty, Ready } from "../parts/states.js";
import { Status } from "../parts/status.js";
import { Sweep } from "./sweep.js";

const LIMIT = 50;
const EVERY = 5; // seconds

export default function Sweeps({ parts, query }) {
  return parts.length ? html`<${Sweep} key=${parts[0]} sweepId=${parts[0]} />` : html`<${List} after=${query.after} />`;
}

function List({ after }) {
  const sweeps = useResource("v1/sweeps", { query: { after, limit: LIMIT }, every: EVERY });
  return html`<div class="heading"><h1>Sweeps</h1></div>
    <${Ready} of=${sweeps}>${(page) => html`<${Table} sweeps=${page.data} />`}<//>
    <nav class="row more" aria-label="Pages of the list">
      ${after && html`<a class="button" href=${link(["sweeps"])}>Newest</a>`}
      ${sweeps.data?.has_more && html`<a class="button" href=${link(["sweeps"], { after: sweeps.data.data.at(-1).id })}>Older</a>`}
    </nav>`;
}

function Table({ sweeps }) {
  if (sweeps.length === 0) {
    return html`<${Empty} title="Nothing has been searched yet"><p>A sweep trains with different settings, and publishes the version of the best. It begins over the API, or with <code>modelwright sweeps start</code>.</p><//>`;
  }
  return html`<div class="sheet wide" tabindex="0" role="region" aria-label="Sweeps">
    <table>
      <thead>
        <tr><th scope="col">Model</th><th scope="col">Status</th><th scope="col" class="number">Trials</th><th scope="col">Searched</th><th scope="col" class="number">Best</th><th scope="col">Begun</th><th scope="col">Took</th></tr>
      </thead>
      <tbody>
        ${sweeps.map((each) => html`<${Row} key=${each.id} sweep=${each} />`)}
      </tbody>
    </table>
  </div>`;
}

function Row({ sweep }) {
  const begun = Object.values(sweep.trials_by_status).reduce((sum, each) => sum + each, 0);
  return html`<tr>
    <th scope="row"><a href=${link(["sweeps", sweep.id])}>${sweep.model_name}</a></th>
    <td><${Status} job=${sweep} /></td>
    <td class="number">${count(begun)} of ${count(sweep.settings.trials)}</td>
    <td>${Object.keys(sweep.settings.search ?? {}).join(", ")}</td>
    <td class="number">${sweep.best ? number(sweep.best.objective) : "–"}</td>
    <td>${ago(sweep.created_at)}</td>
    <td>${sweep.finished_at ? duration((Date.parse(sweep.finished_at) - Date.parse(sweep.created_at)) / 1000) : "–"}</td>
  </tr>`;
}
