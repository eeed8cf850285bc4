// Asks before an alias is pointed at a version, and does so only from the state that was shown.
import { html, useState } from "../vendor/preact.js";
import { call } from "../core/api.js";
import { useChange } from "../core/change.js";
import { useResource } from "../core/resource.js";
import { Confirm } from "../parts/dialog.js";
import { Field } from "../parts/field.js";
import { Loading } from "../parts/states.js";

const RULE = /^[a-z][a-z0-9_-]{0,62}$/;

/** `alias` and `version` are what is proposed. */
export function PointAlias({ name, alias, version, onClose, onMoved }) {
  const path = `v1/models/${encodeURIComponent(name)}/aliases`;
  const aliases = useResource(path);
  const [wanted, setWanted] = useState(alias ?? "");
  const [number, setNumber] = useState(version ? String(version) : "");
  const there = aliases.data?.data.find((each) => each.alias === wanted);
  const change = useChange(async () => {
    const headers = there ? { "If-Match": `"${there.entry}"` } : { "If-None-Match": "*" };
    try {
      await call(`${path}/${encodeURIComponent(wanted)}`, { method: "PUT", body: { version: Number(number) }, headers });
    } catch (error) {
      aliases.reload(); // after 412 the dialog says where it is now
      throw error;
    }
  }, onMoved);
  const invalid = wanted !== "" && (!RULE.test(wanted) || wanted === "latest");
  const valid = wanted !== "" && !invalid && /^[1-9]\d{0,15}$/.test(number) && there?.version !== Number(number);
  const error = change.error?.code === "precondition_failed" ? { message: "Somebody else has moved it meanwhile. Look where it is now, and try again." } : change.error;
  return html`<${Confirm}
    title="Point an alias at a version"
    action=${there ? "Move it" : "Create it"}
    busy=${change.busy || !valid || aliases.data === null}
    error=${error ?? aliases.error}
    onConfirm=${change.run}
    onClose=${onClose}
  >
    <${Field} label="Alias" error=${invalid ? "Lower case letters, digits, _ and -, beginning with a letter, and not “latest”." : null}>
      ${(about) => html`<input ...${about} value=${wanted} autocomplete="off" spellcheck=${false} onInput=${(event) => setWanted(event.target.value)} />`}
    <//>
    ${aliases.data?.data.length > 0 &&
    html`<p class="row tight">
      ${aliases.data.data.map((each) => html`<button type="button" aria-pressed=${each.alias === wanted ? "true" : "false"} onClick=${() => setWanted(each.alias)}>${each.alias}</button>`)}
    </p>`}
    <${Field} label="Version">
      ${(about) => html`<input ...${about} type="number" min="1" value=${number} onInput=${(event) => setNumber(event.target.value)} />`}
    <//>
    ${aliases.data ? html`<p role="status">${what(wanted, number, there, valid)}</p>` : !aliases.error && html`<${Loading} />`}
  <//>`;
}

function what(alias, number, there, valid) {
  if (!valid) return there && there.version === Number(number) ? `${alias} points at version ${number} already.` : "";
  const effect = alias === "production" ? " Requests that name no version get their predictions from it." : "";
  if (!there) return `A new alias ${alias} will point at version ${number}.${effect}`;
  if (there.version === null) return `${alias} is damaged now. It will point at version ${number}.${effect}`;
  return `${alias} moves from version ${there.version} to version ${number}.${effect}`;
}
