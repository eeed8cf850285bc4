// The aliases of a model: where they point, and where they have pointed.
import { html, useState } from "../vendor/preact.js";
import { link } from "../core/address.js";
import { call } from "../core/api.js";
import { useChange } from "../core/change.js";
import { ago, moment } from "../core/format.js";
import { usePages } from "../core/resource.js";
import { Confirm, Dialog } from "../parts/dialog.js";
import { Failure, Loading, More } from "../parts/states.js";

export function ModelAliases({ name, aliases, more, onMove, onChanged }) {
  const [asked, setAsked] = useState(null); // { kind, alias }
  const close = () => setAsked(null);
  const done = () => (close(), onChanged());
  return html`<div class="heading">
      <h2>Aliases</h2>
      <button type="button" onClick=${() => onMove(aliases.some((each) => each.alias === "production") ? "" : "production", null)}>New alias …</button>
    </div>
    ${aliases.length === 0
      ? html`<p class="quiet">
          None yet. An alias is a name such as “production” that you move from version to version, so that programs need not change.
        </p>`
      : html`<div class="wide" tabindex="0" role="region" aria-label="Aliases">
          <table>
            <thead>
              <tr><th scope="col">Alias</th><th scope="col">Points at</th><th scope="col">Since</th><th scope="col"><span class="unseen">Changes</span></th></tr>
            </thead>
            <tbody>
              ${aliases.map(
                (each) => html`<tr key=${each.alias}>
                  <th scope="row" class="name">${each.alias}</th>
                  <td>
                    ${each.version === null
                      ? html`<span class="mark bad">damaged</span> <span class="small">${each.error?.detail} Move it to a version again.</span>`
                      : html`<a href=${link(["models", name, each.version])}>version ${each.version}</a>`}
                  </td>
                  <td class="quiet" title=${moment(each.created_at)}>${ago(each.created_at)}</td>
                  <td class="buttons">
                    <button type="button" onClick=${() => onMove(each.alias, null)}>Move …<${Of} alias=${each.alias} /></button>
                    <button type="button" onClick=${() => setAsked({ kind: "rollback", alias: each })}>Roll back …<${Of} alias=${each.alias} /></button>
                    <button type="button" onClick=${() => setAsked({ kind: "history", alias: each })}>History<${Of} alias=${each.alias} /></button>
                    <button type="button" onClick=${() => setAsked({ kind: "delete", alias: each })}>Delete …<${Of} alias=${each.alias} /></button>
                  </td>
                </tr>`,
              )}
            </tbody>
          </table>
        </div>`}
    ${more && html`<p class="quiet small">Only the first ${aliases.length} aliases are shown.</p>`}
    ${asked?.kind === "rollback" && html`<${RollBack} name=${name} alias=${asked.alias} onClose=${close} onDone=${done} />`}
    ${asked?.kind === "history" && html`<${History} name=${name} alias=${asked.alias} onClose=${close} />`}
    ${asked?.kind === "delete" && html`<${DeleteAlias} name=${name} alias=${asked.alias} onClose=${close} onDone=${done} />`}`;
}

/** What a button of a row is about, for those who do not see the row. */
function Of({ alias }) {
  return html`<span class="unseen"> ${alias}</span>`;
}

function pathOf(name, alias) {
  return `v1/models/${encodeURIComponent(name)}/aliases/${encodeURIComponent(alias.alias)}`;
}

function RollBack({ name, alias, onClose, onDone }) {
  const path = pathOf(name, alias);
  const entries = usePages(`${path}/history`, { limit: 1000, idOf: (each) => each.entry });
  const newest = entries.items[entries.items.length - 1];
  const before = entries.items[entries.items.length - 2];
  const change = useChange(() => call(`${path}/rollback`, { method: "POST", headers: { "If-Match": `"${newest.entry}"` } }), onDone);
  const possible = entries.ready && !entries.more && before && before.version !== null;
  const error = change.error?.code === "precondition_failed" ? { message: "Somebody else has moved it meanwhile. Close this, and look where it is now." } : change.error;
  return html`<${Confirm} title=${`Roll ${alias.alias} back?`} action="Roll back" busy=${change.busy || !possible} error=${error} onConfirm=${change.run} onClose=${onClose}>
    <${Failure} error=${entries.error} />
    ${entries.ready
      ? possible
        ? html`<p>It goes back from version ${newest.version ?? "–"} to version ${before.version}, where it was ${ago(before.created_at)}.</p>`
        : entries.more
          ? html`<p>Its history is long. <button type="button" disabled=${entries.loading} onClick=${entries.next}>Read on</button></p>`
          : html`<p>It cannot: there is no version before this one in its history.</p>`
      : !entries.error && html`<${Loading} what="Reading its history" />`}
  <//>`;
}

function DeleteAlias({ name, alias, onClose, onDone }) {
  const change = useChange(() => call(pathOf(name, alias), { method: "DELETE", headers: { "If-Match": `"${alias.entry}"` } }), onDone);
  const effect = alias.alias === "production" ? "Requests that name no version are then answered by the latest one." : "Requests for it get an error from then on.";
  return html`<${Confirm} title=${`Delete the alias ${alias.alias}?`} action="Delete the alias" danger busy=${change.busy} error=${change.error} onConfirm=${change.run} onClose=${onClose}>
    <p>The versions stay, and so does its history. ${effect}</p>
  <//>`;
}

function History({ name, alias, onClose }) {
  const entries = usePages(`${pathOf(name, alias)}/history`, { limit: 100, idOf: (each) => each.entry });
  return html`<${Dialog} title=${`History of ${alias.alias}`} onClose=${onClose}>
    <${Failure} error=${entries.error} retry=${entries.reload} />
    ${!entries.ready && !entries.error && html`<${Loading} />`}
    <ol class="plain history">
      ${entries.items.map(
        (each) => html`<li key=${each.entry}>
          <span>${each.version === null ? (each.error ? "damaged" : "deleted") : `version ${each.version}`}</span>
          <span class="quiet small">${moment(each.created_at)}</span>
        </li>`,
      )}
    </ol>
    <${More} pages=${entries} />
    <div class="actions"><button type="button" onClick=${onClose}>Close</button></div>
  <//>`;
}
