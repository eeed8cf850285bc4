// One model: what is in use, its aliases, and its versions side by side.
import { html, useState } from "../vendor/preact.js";
import { go, link } from "../core/address.js";
import { call } from "../core/api.js";
import { useChange } from "../core/change.js";
import { ago, count, moment } from "../core/format.js";
import { usePages, useResource } from "../core/resource.js";
import { Confirm } from "../parts/dialog.js";
import { Field } from "../parts/field.js";
import { Failure, Ready } from "../parts/states.js";
import { ModelAliases } from "./model_aliases.js";
import { ModelRetention } from "./model_retention.js";
import { ModelVersions } from "./model_versions.js";
import { PointAlias } from "./point_alias.js";

export function ModelPage({ name, query }) {
  const path = `v1/models/${encodeURIComponent(name)}`;
  const model = useResource(path, { every: 10 });
  const aliases = useResource(model.data ? `${path}/aliases` : null, { every: 10 });
  const versions = usePages(model.data ? `${path}/versions` : null, { limit: 50, idOf: (each) => each.version, every: 10 });
  const [asked, setAsked] = useState(null); // the dialog that is open: { kind, … }
  const close = () => setAsked(null);
  const reload = () => (model.reload(), aliases.reload(), versions.reload());
  return html`<p class="path"><a href=${link(["models"])}>Models</a> / ${name}</p>
    <${Ready} of=${model} what="Loading the model">
      ${(found) => html`<div class="heading">
          <h1>${name}</h1>
          <div class="row">
            <button type="button" onClick=${() => setAsked({ kind: "retention" })}>Retention …</button>
            <button type="button" onClick=${() => setAsked({ kind: "delete" })}>Delete …</button>
            ${inUse(found) && html`<a class="button primary" href=${link(["models", name, inUse(found)], { tab: "try" })}>Try it</a>`}
          </div>
        </div>
        <${Summary} model=${found} />
        <section class="sheet">
          <${Ready} of=${aliases} what="Loading the aliases">
            ${(page) => html`<${ModelAliases} name=${name} aliases=${page.data} more=${page.has_more} onMove=${(alias, version) => setAsked({ kind: "alias", alias, version })} onChanged=${reload} />`}
          <//>
        </section>
        <section class="sheet">
          <${ModelVersions} name=${name} query=${query} pages=${versions} onPoint=${(version) => setAsked({ kind: "alias", alias: "production", version })} onChanged=${reload} />
        </section>`}
    <//>
    ${asked?.kind === "alias" &&
    html`<${PointAlias} name=${name} alias=${asked.alias} version=${asked.version} onClose=${close} onMoved=${() => (close(), reload())} />`}
    ${asked?.kind === "retention" && html`<${ModelRetention} name=${name} onClose=${close} />`}
    ${asked?.kind === "delete" && html`<${DeleteModel} name=${name} path=${path} onClose=${close} />`}`;
}

/** The version that answers where none is named: that of `production`, or else the latest. */
function inUse(model) {
  return model.aliases?.production ?? model.latest;
}

function Summary({ model }) {
  const production = model.aliases?.production;
  return html`${model.error && html`<p class="failure"><strong>Damaged.</strong> ${model.error.detail}</p>`}
    <section class="sheet">
      <dl class="figures">
        <div><dt>Predictions use</dt><dd>${inUse(model) ? `version ${inUse(model)}` : "–"}</dd></div>
        <div><dt>Latest version</dt><dd>${model.latest ?? "–"}</dd></div>
        <div><dt>Versions</dt><dd>${count(model.versions)}</dd></div>
        <div><dt>Latest published</dt><dd title=${moment(model.created_at)}>${ago(model.created_at)}</dd></div>
      </dl>
      <p class="quiet small below">
        ${production
          ? "A request that names no version is answered by the version of the alias “production”."
          : "A request that names no version is answered by the latest one, as there is no alias “production” yet."}
      </p>
    </section>`;
}

function DeleteModel({ name, path, onClose }) {
  const [typed, setTyped] = useState("");
  const change = useChange(
    () => call(path, { method: "DELETE" }),
    () => go(["models"]),
  );
  const confirm = () => (typed === name ? change.run() : null);
  return html`<${Confirm} title=${`Delete ${name}?`} action="Delete the model" danger busy=${change.busy || typed !== name} error=${change.error} onConfirm=${confirm} onClose=${onClose}>
    <p>All of its versions and aliases go. Requests for it get an error from then on, and this cannot be undone.</p>
    <${Field} label=${`To confirm, type ${name}`}>
      ${(about) => html`<input ...${about} value=${typed} autocomplete="off" spellcheck=${false} onInput=${(event) => setTyped(event.target.value)} />`}
    <//>
  <//>`;
}
