// What a version comes from, and what comes from it.
import { html } from "../vendor/preact.js";
import { link } from "../core/address.js";
import { bytes } from "../core/format.js";
import { useResource } from "../core/resource.js";
import { Ready } from "../parts/states.js";

const STATES = {
  kept: null,
  deleted: "deleted since",
  elsewhere: "not on this service",
  damaged: "damaged",
  unknown: "the storage cannot be read now",
};

export function VersionLineage({ path }) {
  const lineage = useResource(`${path}/lineage`);
  return html`<${Ready} of=${lineage} what="Tracing">
    ${(of) => html`<section class="sheet"><ol class="lineage">
        ${!of.initial_complete && html`<li class="quiet">… and further back than is followed here.</li>`}
        ${[...of.initial].reverse().map(
          (each) => html`<li key=${`${each.name}/${each.version}`}>
            <span class="quiet small">earlier version</span>
            <p><${VersionLink} of=${each} /></p>
            ${each.data && html`<p class="small"><${Data} of=${each.data} /></p>`}
          </li>`,
        )}
        <li>
          <span class="quiet small">data</span>
          <p><${Data} of=${of.data} /></p>
          ${of.data.digest && html`<p class="digest small quiet">SHA-256 ${of.data.digest}</p>`}
        </li>
        <li>
          <span class="quiet small">training</span>
          <p>
            ${of.job === null
              ? "no job: the version was imported, or its job was not recorded"
              : of.job.state === "kept"
                ? html`<a href=${link(["jobs", of.job.id])}>job ${of.job.id}</a>`
                : html`job ${of.job.id} <${State} state=${of.job.state} />`}
          </p>
        </li>
        <li class="here">
          <span class="quiet small">this version</span>
          <p><strong>${of.name}, version ${of.version}</strong></p>
          <p class="digest small quiet">SHA-256 ${of.digest}</p>
        </li>
        <li>
          <span class="quiet small">what was made from it</span>
          ${of.derived.length === 0 && of.exports.length === 0 && html`<p class="quiet">Nothing here yet: no later training started from it.</p>`}
          ${of.derived.map((each) => html`<p key=${`${each.name}/${each.version}`}><${VersionLink} of=${each} /></p>`)}
          ${!of.derived_complete && html`<p class="quiet small">There may be more versions: not every one was searched.</p>`}
          ${of.exports.length > 0 && html`<p class="small">Exports at hand: ${of.exports.map((each) => `${each.name} (${bytes(each.bytes)})`).join(", ")}</p>`}
        </li>
      </ol></section>`}
  <//>`;
}

function VersionLink({ of }) {
  const text = `${of.name}, version ${of.version}`;
  if (of.state !== "kept") return html`${text} <${State} state=${of.state} />`;
  return html`<a href=${link(["models", of.name, of.version], { tab: "lineage" })}>${text}</a>`;
}

function Data({ of }) {
  if (of.dataset === null) return html`made by the spec (${of.kind})`;
  const text = `data set ${of.dataset}${of.version ? `, version ${of.version}` : ""}`;
  if (of.state !== "kept") return html`${text} <${State} state=${of.state} />`;
  return html`<a href=${link(["data", of.dataset], { version: of.version })}>${text}</a>`;
}

function State({ state }) {
  return STATES[state] && html`<span class="mark warn">${STATES[state]}</span>`;
}
