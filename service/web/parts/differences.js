// The places where two documents differ.
import { html } from "../vendor/preact.js";
import { number } from "../core/format.js";

/** `of`: { differences: [{ pointer, a, b }], complete }; `a` and `b`: what the two are called. */
export function Differences({ of, a, b, label }) {
  if (of.differences.length === 0) return html`<p class="quiet">The same in both.</p>`;
  return html`<div class="wide" tabindex="0" role="region" aria-label=${label}>
      <table>
        <thead><tr><th scope="col">What</th><th scope="col">${a}</th><th scope="col">${b}</th></tr></thead>
        <tbody>
          ${of.differences.map(
            (each) => html`<tr key=${each.pointer}>
              <th scope="row" class="name"><code>${each.pointer || "/"}</code></th>
              <td><${Value} of=${each} side="a" /></td>
              <td><${Value} of=${each} side="b" /></td>
            </tr>`,
          )}
        </tbody>
      </table>
    </div>
    ${!of.complete && html`<p class="quiet small">There are more differences than these ${of.differences.length}.</p>`}`;
}

function Value({ of, side }) {
  if (!Object.hasOwn(of, side)) return html`<span class="quiet">not there</span>`;
  const value = of[side];
  if (value === null) return html`<span class="quiet">none</span>`;
  if (typeof value === "number") return number(value);
  return html`<span class="breaks">${typeof value === "string" ? value : JSON.stringify(value)}</span>`;
}
