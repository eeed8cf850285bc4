// The versions of the software, and the settings that may be shown.
import { html } from "../vendor/preact.js";
import { bytes, duration, moment } from "../core/format.js";

export function System({ service }) {
  const inside = service.administration;
  return html`<div class="grid">
    <section class="sheet" aria-label="Versions">
      <h2>Versions</h2>
      <${Pairs} pairs=${service.software} />
    </section>
    ${inside &&
    html`<section class="sheet" aria-label="Settings">
      <h2>This service</h2>
      <${Pairs}
        pairs=${{
          "started at": moment(inside.started_at),
          "up for": duration(inside.uptime_seconds),
          ...(inside.workers > 1 ? { process: inside.process } : {}),
          journal: inside.journal,
          store: inside.store,
          keys: service.keys_required ? "required" : "off",
        }}
      />
      <h2>Settings</h2>
      <p class="quiet small">Each is read at the start from <code>MODELWRIGHT_</code> and its name in capitals. Secrets, paths and addresses are not shown.</p>
      <${Pairs} pairs=${inside.settings} />
    </section>`}
  </div>`;
}

function Pairs({ pairs }) {
  return html`<table>
    <tbody>
      ${Object.entries(pairs).map(([name, value]) => html`<tr><th scope="row">${name}</th><td>${shown(name, value)}</td></tr>`)}
    </tbody>
  </table>`;
}

function shown(name, value) {
  if (value === null) return html`<span class="quiet">not set</span>`;
  if (name.endsWith("_bytes")) return html`${bytes(value)} <span class="quiet small">${value.toLocaleString("en")}</span>`;
  return typeof value === "number" ? value.toLocaleString("en") : String(value);
}
