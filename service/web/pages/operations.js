// For who runs the service: what it does, who may use it, who changed what, what it is made of.
import { html } from "../vendor/preact.js";
import { go } from "../core/address.js";
import { keyWanted } from "../core/api.js";
import { useResource } from "../core/resource.js";
import { Empty, Ready } from "../parts/states.js";
import { Tabs } from "../parts/tabs.js";
import { Activity } from "./operations_activity.js";
import { AuditLog } from "./operations_audit.js";
import { Keys } from "./operations_keys.js";
import { useMetrics } from "./operations_metrics.js";
import { System } from "./operations_system.js";

const TABS = [
  { id: "activity", label: "Activity" },
  { id: "keys", label: "Keys" },
  { id: "audit", label: "Audit log" },
  { id: "system", label: "Versions and settings" },
];

export default function Operations({ query }) {
  const service = useResource("v1/service", { every: 10 });
  const figures = useMetrics();
  const chosen = TABS.some((tab) => tab.id === query.tab) ? query.tab : "activity";
  return html`<h1>Operations</h1>
    <${Ready} of=${service}>
      ${(about) => html`<${Tabs} label="Parts of the service" tabs=${TABS} chosen=${chosen} onChoose=${(tab) => go(["operations"], { tab }, { replace: true })}>
        ${chosen === "activity" && html`<${Activity} figures=${figures} inside=${about.administration} />`}
        ${chosen === "keys" && html`<${ForAdmins} about=${about}><${Keys} service=${about} reload=${service.reload} /><//>`}
        ${chosen === "audit" && html`<${ForAdmins} about=${about}><${AuditLog} query=${query} /><//>`}
        ${chosen === "system" && html`<${System} service=${about} />`}
        ${(chosen === "activity" || chosen === "system") && !about.administration && html`<${Less} about=${about} />`}
      <//>`}
    <//>`;
}

function ForAdmins({ about, children }) {
  if (about.scopes.includes("admin")) return children;
  return html`<${Empty} title="This needs a key with the scope admin">
    <p>The key of this tab, ${about.key}, has the scope ${about.scopes.at(-1)}.</p>
    <p><${AnotherKey} /></p>
  <//>`;
}

function Less({ about }) {
  return html`<p class="quiet">
    The models in memory and the settings need a key with the scope admin; this tab's, ${about.key}, has ${about.scopes.at(-1)}. <${AnotherKey} />
  </p>`;
}

function AnotherKey() {
  return html`<button type="button" onClick=${() => keyWanted.set({ message: "" })}>Use another key</button>`;
}
