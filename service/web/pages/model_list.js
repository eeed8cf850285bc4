// The list of models, with a filter by name.
import { html, useEffect, useState } from "../vendor/preact.js";
import { go, link } from "../core/address.js";
import { call, online } from "../core/api.js";
import { ago, count, moment, number } from "../core/format.js";
import { beats, headline } from "../core/metrics.js";
import { usePages } from "../core/resource.js";
import { useSignal } from "../core/signal.js";
import { Field } from "../parts/field.js";
import { Empty, Failure, Loading, More } from "../parts/states.js";
import { ModelImport } from "./model_import.js";

const SEARCHED = 10_000; // models at most whose names are compared with the filter
const SHOWN = 200; // of those that match

export function ModelList({ query }) {
  const pages = usePages("v1/models", { limit: 50, idOf: (each) => each.name, every: 10 });
  const wanted = (query.find ?? "").trim().toLowerCase();
  const found = useFound(wanted);
  const [importing, setImporting] = useState(false);
  const find = (event) => go(["models"], { find: event.target.value }, { replace: true });
  const empty = pages.ready && pages.items.length === 0;
  return html`<div class="heading">
      <h1>Models</h1>
      <div class="row">
        <button type="button" aria-expanded=${importing ? "true" : "false"} onClick=${() => setImporting(!importing)}>Import a bundle</button>
        <a class="button primary" href=${link(["train"])}>Train a model</a>
      </div>
    </div>
    ${importing && html`<${ModelImport} onClose=${() => setImporting(false)} onImported=${pages.reload} />`}
    ${!empty &&
    html`<${Field} label="Find by name">
      ${(about) => html`<input ...${about} type="search" class="find" value=${query.find ?? ""} onInput=${find} />`}
    <//>`}
    <${Failure} error=${pages.error} retry=${pages.reload} />
    ${wanted
      ? html`<${Found} found=${found} wanted=${wanted} />`
      : pages.ready
        ? empty
          ? html`<${NoModels} onImport=${() => setImporting(true)} />`
          : html`<div class="sheet"><${Table} models=${pages.items} /><${More} pages=${pages} /></div>`
        : !pages.error && html`<${Loading} what="Loading the models" />`}`;
}

function NoModels({ onImport }) {
  return html`<${Empty} title="There are no models yet">
    <p>A model is made by a training from a table of data, or comes from another service as a bundle.</p>
    <p class="row centred">
      <a class="button primary" href=${link(["train"])}>Train a model</a>
      <a class="button" href=${link(["data"])}>Upload data</a>
      <button type="button" onClick=${onImport}>Import a bundle</button>
    </p>
  <//>`;
}

function Found({ found, wanted }) {
  if (found.error) return html`<${Failure} error=${found.error} />`;
  const { models } = found;
  return html`<p class="quiet small" role="status">
      ${found.busy ? "Searching …" : `${count(models.length)} ${models.length === 1 ? "name has" : "names have"} “${wanted}” in it.`}
      ${models.length > SHOWN && ` The first ${SHOWN} are shown: give more of the name.`}
      ${found.more && ` Only the first ${count(SEARCHED)} models were searched.`}
    </p>
    ${models.length > 0 && html`<div class="sheet"><${Table} models=${models.slice(0, SHOWN)} /></div>`}`;
}

/** The models whose names contain a text: the API lists by name, so the pages are read one after the other. */
function useFound(wanted) {
  const up = useSignal(online); // once the service is back it is asked again
  const [found, setFound] = useState({ models: [], busy: false, more: false, error: null });
  useEffect(() => {
    if (!wanted) return;
    const abort = new AbortController();
    setFound((was) => ({ ...was, busy: true, more: false, error: null }));
    const timer = setTimeout(async () => {
      try {
        const { models, more } = await search(wanted, abort.signal);
        setFound({ models, busy: false, more, error: null });
      } catch (error) {
        if (!abort.signal.aborted) setFound({ models: [], busy: false, more: false, error });
      }
    }, 150);
    return () => (clearTimeout(timer), abort.abort());
  }, [wanted, up]);
  return found;
}

async function search(wanted, signal) {
  const models = [];
  let after = null;
  for (let read = 0; read < SEARCHED; read += 1000) {
    const page = await call("v1/models", { query: { after, limit: 1000 }, signal });
    models.push(...page.data.filter((each) => each.name.includes(wanted)));
    if (!page.has_more) return { models, more: false };
    after = page.data[page.data.length - 1].name;
  }
  return { models, more: true };
}

function Table({ models }) {
  return html`<div class="wide" tabindex="0" role="region" aria-label="Models">
    <table>
      <thead>
        <tr><th scope="col">Model</th><th scope="col">Aliases</th><th scope="col">Latest result</th><th scope="col" class="number">Versions</th><th scope="col">Latest version</th></tr>
      </thead>
      <tbody>
        ${models.map((each) => html`<${Row} key=${each.name} model=${each} />`)}
      </tbody>
    </table>
  </div>`;
}

function Row({ model }) {
  const aliases = Object.entries(model.aliases ?? {});
  return html`<tr>
    <th scope="row" class="name"><a href=${link(["models", model.name])}>${model.name}</a></th>
    <td>
      ${aliases.length === 0 && html`<span class="quiet">–</span>`}
      <span class="row tight">
        ${aliases.map(([alias, version]) => html`<span class=${version === null ? "mark bad" : "mark good"}>${alias} → ${version ?? "damaged"}</span>`)}
      </span>
    </td>
    <td><${Result} model=${model} /></td>
    <td class="number">${count(model.versions)}</td>
    <td class="quiet" title=${moment(model.created_at)}>${model.latest ?? "–"}, ${ago(model.created_at)}</td>
  </tr>`;
}

function Result({ model }) {
  if (model.error) return html`<span class="mark bad">damaged</span> <span class="small">${model.error.detail}</span>`;
  const shown = headline(model.metrics);
  if (shown === null) return html`<span class="quiet">not recorded</span>`;
  const better = beats(shown.name, shown.value, shown.baseline);
  return html`${shown.name} <strong>${number(shown.value)}</strong>
    <span class="quiet small"> ${shown.part}; baseline ${number(shown.baseline)}</span>
    ${better === false && html` <span class="mark warn">no better</span>`}`;
}
