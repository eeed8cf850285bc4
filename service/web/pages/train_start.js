// Where a training begins: data, the tutorial's line, or an older version; then the target.
import { html, useState } from "../vendor/preact.js";
import { link } from "../core/address.js";
import { barsOf } from "../core/distribution.js";
import { ago, count } from "../core/format.js";
import { usePages, useResource } from "../core/resource.js";
import { Bars } from "../parts/bars.js";
import { Empty, Failure, Loading, More, Ready } from "../parts/states.js";

const MOST_CARDS = 60;
const NO_TARGET = ["datetime", "unsupported", "image", "video", "tensor", "text"];

export function Start() {
  const datasets = usePages("v1/datasets", { idOf: (each) => each.name });
  const models = useResource("v1/models", { query: { limit: 10 } });
  return html`<div class="grid">
    <section class="sheet">
      <h2>From a data set</h2>
      <${Failure} error=${datasets.error} retry=${datasets.reload} />
      ${!datasets.ready && !datasets.error && html`<${Loading} />`}
      ${datasets.ready && datasets.items.length === 0 && html`<${Empty} title="No data set yet"><p><a class="button primary" href=${link(["data"])}>Upload a file</a></p><//>`}
      <ul class="plain">
        ${datasets.items.map(
          (each) => html`<li>
            <a href=${link(["train"], { dataset: each.name })}>${each.name}</a>
            <span class="quiet small"> ${count(each.rows)} rows, ${each.columns.length} columns, ${ago(each.created_at)}</span>
          </li>`,
        )}
      </ul>
      <${More} pages=${datasets} />
      ${datasets.items.length > 0 && html`<p><a href=${link(["data"])}>Upload another file</a></p>`}
    </section>
    <section class="sheet">
      <h2>From an example</h2>
      <p>The straight line of the PyTorch tutorial: 50 points, a weight and a bias, found again by gradient descent in a second.</p>
      <p><a class="button" href=${link(["train"], { example: "line" })}>Take the line</a></p>
    </section>
    <section class="sheet">
      <h2>From an older version</h2>
      <${Ready} of=${models}>
        ${(page) =>
          page.data.length === 0
            ? html`<p class="quiet">Once a model is trained, its spec can be taken up again here.</p>`
            : html`<ul class="plain">
                ${page.data.map(
                  (each) => html`<li><a href=${link(["train"], { from: `${each.name}@latest` })}>${each.name}</a> <span class="quiet small">version ${each.latest ?? "–"}</span></li>`,
                )}
                ${page.has_more && html`<li><a href=${link(["models"])}>All models</a></li>`}
              </ul>`}
      <//>
    </section>
  </div>`;
}

/** A click on the column to learn. */
export function TargetChoice({ dataset, choose }) {
  const [wanted, setWanted] = useState("");
  const possible = dataset.columns.filter((each) => !NO_TARGET.includes(each.type) && each.missing < dataset.rows);
  const shown = possible.filter((each) => each.name.toLowerCase().includes(wanted.toLowerCase()));
  return html`<section class="sheet">
    <div class="heading">
      <h2>Which column of ${dataset.name} is to be predicted?</h2>
      ${possible.length > 12 && html`<label class="row small">Find <input type="search" value=${wanted} onInput=${(event) => setWanted(event.target.value)} /></label>`}
    </div>
    <div class="targets">
      ${shown.slice(0, MOST_CARDS).map(
        (each) => html`<button type="button" class="card" key=${each.name} aria-label=${`Predict ${each.name}`} onClick=${() => choose(each.name)}>
          <span class="row spread"><span class="title">${each.name}</span><span class="quiet small">${each.type}</span></span>
          ${each.distribution && html`<${Bars} of=${barsOf(each)} label=${each.name} />`}
        </button>`,
      )}
    </div>
    ${shown.length > MOST_CARDS && html`<p class="quiet">${count(shown.length - MOST_CARDS)} more: type a part of the name above.</p>`}
    ${shown.length === 0 && html`<p class="quiet">No such column. Dates, images, texts to be read and empty columns cannot be predicted.</p>`}
  </section>`;
}
