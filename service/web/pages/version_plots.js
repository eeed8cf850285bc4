// The plots of a version, drawn by the service.
import { html } from "../vendor/preact.js";
import { isShaped } from "../core/inputs.js";
import { meaningOf, plotsOf, titleOf } from "../core/plots.js";
import { Plot } from "../parts/plot.js";
import { Seen } from "../parts/seen.js";

const MANY = new Set(["data", "parameters"]); // of a chart for each feature, or each parameter

export function VersionPlots({ name, manifest, path }) {
  const wide = (plot) => MANY.has(plot) || (plot === "predictions" && manifest.signature.inputs.some(isShaped));
  return html`<div class="plots">
    ${plotsOf(manifest).map(
      (each) => html`<section class=${wide(each) ? "sheet across" : "sheet"} key=${each}>
        <h2>${titleOf(each)}</h2>
        <p class="quiet small">${sentence(meaningOf(each))}</p>
        <${Seen} height="300px"><${Plot} path=${`${path}/plots/${each}.png`} label=${`${titleOf(each)} of ${name}, version ${manifest.version}: ${meaningOf(each)}`} missing=${html`<p class="quiet">This version does not have it.</p>`} /><//>
      </section>`,
    )}
  </div>`;
}

function sentence(text) {
  return `${text[0].toUpperCase()}${text.slice(1)}.`;
}
