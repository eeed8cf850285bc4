// Two versions of a model side by side: metrics, spec, signature, data, and how far their tensors are apart.
import { html } from "../vendor/preact.js";
import { go, link } from "../core/address.js";
import { ago, count, number } from "../core/format.js";
import { PARTS, bestOf } from "../core/metrics.js";
import { usePages, useResource } from "../core/resource.js";
import { Differences } from "../parts/differences.js";
import { MetricName } from "../parts/metric.js";
import { Empty, More, Ready } from "../parts/states.js";

const FIRST_TENSORS = 100; // shown of a model with more

export function ModelCompare({ name, query }) {
  const path = `v1/models/${encodeURIComponent(name)}`;
  const versions = usePages(`${path}/versions`, { limit: 100, idOf: (each) => each.version });
  const { a = "", b = "" } = query;
  const compared = useResource(a && b ? `${path}/compare` : null, { query: { a, b } });
  const choose = (side) => (event) => go(["models", name, "compare"], { a, b, [side]: event.target.value }, { replace: true });
  return html`<p class="path"><a href=${link(["models"])}>Models</a> / <a href=${link(["models", name])}>${name}</a> / comparison</p>
    <div class="heading">
      <h1>Compare versions</h1>
      <div class="row">
        <${Choice} label="First" value=${a} versions=${versions.items} onChange=${choose("a")} />
        <${Choice} label="Second" value=${b} versions=${versions.items} onChange=${choose("b")} />
        <button type="button" disabled=${!a || !b} onClick=${() => go(["models", name, "compare"], { a: b, b: a }, { replace: true })}>Swap</button>
        <${More} pages=${versions} />
      </div>
    </div>
    ${a && b
      ? html`<${Ready} of=${compared} what="Comparing">${(found) => html`<${Compared} name=${name} of=${found} />`}<//>`
      : html`<${Empty} title="Choose two versions"><p>Then their metrics, specs, data and parameters are shown side by side.</p><//>`}`;
}

function Choice({ label, value, versions, onChange }) {
  const known = versions.some((each) => String(each.version) === value);
  return html`<label class="row tight">${label}
    <select value=${value} onChange=${onChange}>
      ${value === "" && html`<option value="">choose …</option>`}
      ${value !== "" && !known && html`<option value=${value}>${value}</option>`}
      ${versions.map((each) => html`<option value=${String(each.version)} disabled=${each.error !== null}>${[each.version, ...each.aliases].join(", ")}</option>`)}
    </select>
  </label>`;
}

function Compared({ name, of }) {
  const [a, b] = [`Version ${of.a.version}`, `Version ${of.b.version}`];
  const same = of.a.digest === of.b.digest;
  return html`<section class="sheet">
      <dl class="figures">
        ${[of.a, of.b].map(
          (each) => html`<div><dt>Published ${ago(each.created_at)}</dt><dd><a href=${link(["models", name, each.version])}>Version ${each.version}</a></dd></div>`,
        )}
        <div><dt>Parameters</dt><dd>${count(of.parameters.a)} and ${count(of.parameters.b)}</dd></div>
        <div><dt>Distance of all tensors</dt><dd>${of.parameters.l2 === null ? "none: other shapes" : number(of.parameters.l2)}</dd></div>
      </dl>
      ${same && html`<p class="quiet below">They have the same contents, byte for byte.</p>`}
    </section>
    <section class="sheet"><h2>Metrics</h2><${Metrics} of=${of} a=${a} b=${b} /></section>
    <section class="sheet"><h2>Spec</h2><${Differences} of=${of.spec} a=${a} b=${b} label="Differences of the specs" /></section>
    <section class="sheet">
      <h2>Data</h2>
      ${of.data.differences.length > 0 && html`<p class="warning">They were not trained and tested on the same rows: compare their metrics with care.</p>`}
      <${Differences} of=${of.data} a=${a} b=${b} label="Differences of the data" />
    </section>
    <section class="sheet">
      <h2>Signature</h2>
      ${of.signature.differences.length > 0 && html`<p class="warning">Their inputs or outputs differ: a program that uses one may not be able to use the other.</p>`}
      <${Differences} of=${of.signature} a=${a} b=${b} label="Differences of the signatures" />
    </section>
    <section class="sheet"><h2>Tensors</h2><${Tensors} tensors=${of.parameters.tensors} of=${of} /></section>`;
}

function Metrics({ of, a, b }) {
  const parts = [...PARTS, "baseline"].filter((part) => of.metrics[part]);
  if (parts.length === 0) return html`<p class="quiet">Not recorded.</p>`;
  return html`<div class="wide" tabindex="0" role="region" aria-label="Metrics of both versions">
    <table>
      <thead><tr><th scope="col">Part</th><th scope="col">Metric</th><th scope="col" class="number">${a}</th><th scope="col" class="number">${b}</th><th scope="col" class="number">Difference</th></tr></thead>
      ${parts.map(
        (part) => html`<tbody key=${part}>
          ${Object.entries(of.metrics[part]).map(([metric, pair], at, all) => {
            const best = part === "baseline" ? null : bestOf(metric, [pair.a, pair.b]);
            return html`<tr>
              ${at === 0 && html`<th scope="rowgroup" rowspan=${all.length}>${part}</th>`}
              <th scope="row"><${MetricName} name=${metric} /></th>
              ${["a", "b"].map((side) => html`<td class=${best !== null && pair[side] === best ? "number best" : "number"}>${number(pair[side])}${best !== null && pair[side] === best && html`<span class="unseen"> (better)</span>`}</td>`)}
              <td class="number quiet">${typeof pair.a === "number" && typeof pair.b === "number" ? signed(pair.b - pair.a) : "–"}</td>
            </tr>`;
          })}
        </tbody>`,
      )}
    </table>
  </div>`;
}

function signed(value) {
  return `${value > 0 ? "+" : ""}${number(value)}`;
}

/** Why two tensors have no distance; the service calls the versions a and b. */
function reason({ reason, a, b }, of) {
  if (a && b) return reason;
  return `only in version ${a ? of.a.version : of.b.version}`;
}

function Tensors({ tensors, of }) {
  const shown = tensors.slice(0, FIRST_TENSORS);
  return html`<p class="quiet small">The Euclidean distance of the values, and the largest difference of one. Buffers, such as the fitted preprocessing, are among them.</p>
    <div class="wide" tabindex="0" role="region" aria-label="Tensors of both versions">
      <table>
        <thead><tr><th scope="col">Tensor</th><th scope="col">Shape</th><th scope="col" class="number">Distance</th><th scope="col" class="number">Largest difference</th></tr></thead>
        <tbody>
          ${shown.map(
            (each) => html`<tr key=${each.name}>
              <th scope="row" class="name"><code>${each.name}</code></th>
              <td class="nowrap">${shapes(each)}</td>
              ${each.reason
                ? html`<td colspan="2" class="quiet">${reason(each, of)}</td>`
                : html`<td class="number">${number(each.l2)}</td><td class="number">${number(each.max)}</td>`}
            </tr>`,
          )}
        </tbody>
      </table>
    </div>
    ${tensors.length > shown.length && html`<p class="quiet small">The first ${shown.length} of ${count(tensors.length)} tensors.</p>`}`;
}

function shapes({ a, b }) {
  const written = [a, b].map((each) => (each ? `${each.shape.join(" × ") || "one value"}` : null));
  if (written[0] === written[1]) return written[0];
  return written.map((each) => each ?? "–").join(" → ");
}
