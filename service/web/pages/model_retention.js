// How many versions of a model are kept.
import { html, useEffect, useState } from "../vendor/preact.js";
import { call } from "../core/api.js";
import { useChange } from "../core/change.js";
import { useResource } from "../core/resource.js";
import { Dialog } from "../parts/dialog.js";
import { Field } from "../parts/field.js";
import { Failure, Loading } from "../parts/states.js";

export function ModelRetention({ name, onClose }) {
  const path = `v1/models/${encodeURIComponent(name)}/retention`;
  const rule = useResource(path);
  const none = rule.error?.code === "retention_not_found";
  return html`<${Dialog} title=${`Retention of ${name}`} onClose=${onClose}>
    <p class="quiet">
      A rule deletes old versions by itself. The latest version stays whatever the rule, and so do versions that an alias points at, or would after a rollback.
    </p>
    ${rule.data || none ? html`<${Rule} path=${path} rule=${rule.data} onClose=${onClose} />` : rule.error ? html`<${Failure} error=${rule.error} />` : html`<${Loading} />`}
  <//>`;
}

function Rule({ path, rule, onClose }) {
  const [last, setLast] = useState(rule?.last ?? "");
  const [days, setDays] = useState(rule?.days ?? "");
  const [expired, setExpired] = useState(null); // what the rule as it is filled in would delete
  const body = { ...(last !== "" && { last: Number(last) }), ...(days !== "" && { days: Number(days) }) };
  const given = last !== "" || days !== "";
  const look = useChange(() => call(path, { method: "PUT", query: { dry_run: true }, body }), (answer) => setExpired(answer.expired));
  const set = useChange(() => call(path, { method: "PUT", body }), onClose);
  const remove = useChange(() => call(path, { method: "DELETE" }), onClose);
  useEffect(() => setExpired(null), [last, days]);
  const busy = look.busy || set.busy || remove.busy;
  return html`<p>${rule ? "There is a rule." : "There is no rule: all versions are kept."}</p>
    <${Field} label="Keep the last … versions">
      ${(about) => html`<input ...${about} type="number" min="1" value=${last} onInput=${(event) => setLast(event.target.value)} />`}
    <//>
    <${Field} label="Keep those of the last … days">
      ${(about) => html`<input ...${about} type="number" min="1" value=${days} onInput=${(event) => setDays(event.target.value)} />`}
    <//>
    <p role="status">${expired !== null && (expired.length === 0 ? "Nothing would be deleted now." : `Would be deleted within ten minutes: version ${expired.slice(0, 30).join(", ")}${expired.length > 30 ? ` and ${expired.length - 30} more` : ""}.`)}</p>
    <${Failure} error=${look.error ?? set.error ?? remove.error} />
    <div class="actions">
      <button type="button" onClick=${onClose}>Cancel</button>
      ${rule && html`<button type="button" disabled=${busy} onClick=${remove.run}>Keep all versions</button>`}
      <button type="button" disabled=${busy || !given} onClick=${look.run}>Show what would go</button>
      <button type="button" class="danger" disabled=${busy || expired === null} onClick=${set.run}>Set the rule</button>
    </div>`;
}
