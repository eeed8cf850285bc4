// API keys: who has one, a new one, and the end of one.
import { html, useState } from "../vendor/preact.js";
import { call, setKey } from "../core/api.js";
import { ago, moment } from "../core/format.js";
import { usePages } from "../core/resource.js";
import { Code } from "../parts/code.js";
import { Confirm, Dialog } from "../parts/dialog.js";
import { Field } from "../parts/field.js";
import { Empty, Failure, Loading, More } from "../parts/states.js";

const SCOPES = {
  predict: "Predict: ask models, and read what is needed for that",
  train: "Train: also data sets, trainings, and everything of a model",
  admin: "Admin: everything, also keys, aliases and deleting",
};

export function Keys({ service, reload }) {
  const keys = usePages("v1/keys", { limit: 100, idOf: (key) => key.id });
  const [ended, showEnded] = useState(false);
  const [dialog, setDialog] = useState(null); // { kind: "new" } | { kind: "secret", made } | { kind: "revoke", key }
  const close = () => setDialog(null);
  const made = (made) => {
    setDialog({ kind: "secret", made });
    keys.reload();
    reload();
  };
  const shown = keys.items.filter((key) => ended || !hasEnded(key));
  return html`<div class="heading">
      <label><input type="checkbox" checked=${ended} onChange=${(event) => showEnded(event.target.checked)} /> Also revoked and expired keys</label>
      <button type="button" class="primary" onClick=${() => setDialog({ kind: "new" })}>New key</button>
    </div>
    ${!service.keys_required &&
    html`<p class="warning">Without keys everybody on this machine may do everything. The first key changes that for good: from then on each call needs one.</p>`}
    <${Failure} error=${keys.error} retry=${keys.reload} />
    ${!keys.ready && !keys.error && html`<${Loading} />`}
    ${keys.ready && shown.length === 0 && html`<${Empty} title=${keys.items.length ? "No key is valid" : "There are no keys"}><p>A key lets a program in, with no more rights than it needs.</p><//>`}
    ${shown.length > 0 && html`<${Table} keys=${shown} own=${service.key} onRevoke=${(key) => setDialog({ kind: "revoke", key })} />`}
    <${More} pages=${keys} />
    ${dialog?.kind === "new" && html`<${NewKey} first=${!service.keys_required} onMade=${made} onClose=${close} />`}
    ${dialog?.kind === "secret" && html`<${Secret} made=${dialog.made} onClose=${close} />`}
    ${dialog?.kind === "revoke" && html`<${Revoke} each=${dialog.key} own=${dialog.key.name === service.key} onDone=${() => (close(), keys.reload())} onClose=${close} />`}`;
}

function hasEnded(key) {
  return key.revoked_at !== null || (key.expires_at !== null && Date.parse(key.expires_at) < Date.now());
}

function stateOf(key) {
  if (key.revoked_at) return { mark: "bad", text: "revoked" };
  if (key.damaged) return { mark: "bad", text: "damaged, not accepted" };
  return hasEnded(key) ? { mark: "idle", text: "expired" } : { mark: "good", text: "valid" };
}

function Table({ keys, own, onRevoke }) {
  return html`<div class="sheet wide" tabindex="0" role="region" aria-label="API keys">
    <table>
      <thead>
        <tr><th scope="col">Name</th><th scope="col">State</th><th scope="col">Scope</th><th scope="col">Made</th><th scope="col">Ends</th><th scope="col">Action</th></tr>
      </thead>
      <tbody>
        ${keys.map((key) => {
          const state = stateOf(key);
          return html`<tr key=${key.id}>
            <th scope="row">${key.name}${key.name === own && html` <span class="quiet">(this tab's)</span>`}</th>
            <td><span class=${`mark ${state.mark}`}>${state.text}</span></td>
            <td>${key.scopes.join(", ")}</td>
            <td title=${moment(key.created_at)}>${ago(key.created_at)}</td>
            <td>${key.revoked_at ? moment(key.revoked_at) : key.expires_at ? moment(key.expires_at) : "never"}</td>
            <td>${!key.revoked_at && html`<button type="button" aria-label=${`Revoke ${key.name}`} onClick=${() => onRevoke(key)}>Revoke</button>`}</td>
          </tr>`;
        })}
      </tbody>
    </table>
  </div>`;
}

function NewKey({ first, onMade, onClose }) {
  const [wanted, setWanted] = useState({ name: "", scope: first ? "admin" : "predict", days: "" });
  const [state, setState] = useState({ busy: false, error: null });
  const set = (name) => (event) => setWanted((was) => ({ ...was, [name]: event.target.value }));
  const create = async (event) => {
    event.preventDefault();
    setState({ busy: true, error: null });
    try {
      const body = { name: wanted.name.trim(), scopes: [wanted.scope], expires_in_days: wanted.days === "" ? null : Number(wanted.days) };
      const made = await call("v1/keys", { method: "POST", body });
      if (first) setKey(made.key); // else this page would have none from now on
      onMade({ ...made, first });
    } catch (error) {
      setState({ busy: false, error });
    }
  };
  return html`<${Dialog} title="New key" onClose=${onClose}>
    <form onSubmit=${create}>
      ${first && html`<p class="warning">It is the first key: from now on each call needs one, for good. Take the scope admin, or only the command line can make further ones.</p>`}
      <${Failure} error=${state.error} />
      <${Field} label="Name" hint="Who uses it: lower-case letters, digits, and . _ - between them">
        ${(about) => html`<input ...${about} required maxlength="64" autocomplete="off" value=${wanted.name} onInput=${set("name")} />`}
      <//>
      <${Field} label="Scope">
        ${(about) => html`<select ...${about} value=${wanted.scope} onChange=${set("scope")}>
          ${Object.entries(SCOPES).map(([scope, words]) => html`<option value=${scope}>${words}</option>`)}
        </select>`}
      <//>
      <${Field} label="Ends after so many days" hint="Empty: never">
        ${(about) => html`<input ...${about} type="number" min="0.01" max="36500" step="any" value=${wanted.days} onInput=${set("days")} />`}
      <//>
      <div class="actions">
        <button type="button" onClick=${onClose}>Cancel</button>
        <button type="submit" class="primary" disabled=${state.busy}>Create the key</button>
      </div>
    </form>
  <//>`;
}

function Secret({ made, onClose }) {
  return html`<${Dialog} title=${`The key ${made.name}`} onClose=${onClose}>
    <p><strong>Copy it now: it is not kept, and never shown again.</strong> Programs send it as <code>Authorization: Bearer …</code></p>
    <${Code} text=${made.key} label="The secret" />
    ${made.first && html`<p>This tab uses it from now on, until it is closed.</p>`}
    <div class="actions"><button type="button" class="primary" onClick=${onClose}>I have copied it</button></div>
  <//>`;
}

function Revoke({ each, own, onDone, onClose }) {
  const [state, setState] = useState({ busy: false, error: null });
  const revoke = async () => {
    setState({ busy: true, error: null });
    try {
      await call(`v1/keys/${each.id}`, { method: "DELETE" });
      onDone();
    } catch (error) {
      setState({ busy: false, error });
    }
  };
  return html`<${Confirm} title=${`Revoke the key ${each.name}?`} action="Revoke it" danger busy=${state.busy} error=${state.error} onConfirm=${revoke} onClose=${onClose}>
    <p>Within a second nobody gets in with it any more. That cannot be undone.</p>
    ${own && html`<p class="warning">It is the key of this tab: the page will ask you for another one.</p>`}
  <//>`;
}
