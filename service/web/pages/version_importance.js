// How much a version depends on each of its inputs.
import { html } from "../vendor/preact.js";
import { count, number } from "../core/format.js";

const MOST = 12;
const MEASURES = { log_loss: "log loss", relative_squared_error: "squared error, in variances of the target," };

export function VersionImportance({ importance }) {
  if (!importance?.inputs?.length) return html`<p class="quiet">Not recorded.</p>`;
  const shown = importance.inputs.slice(0, MOST);
  const most = Math.max(...shown.map((each) => each.mean), 0);
  const more = importance.inputs.length - shown.length;
  return html`<div class="wide" tabindex="0" role="region" aria-label="Importance of the inputs">
      <table>
        <thead><tr><th scope="col">Input</th><th scope="col">Share of the most important</th><th scope="col" class="number">Rise of the loss</th><th scope="col" class="number">±</th></tr></thead>
        <tbody>
          ${shown.map(
            (each) => html`<tr key=${each.input}>
              <th scope="row" class="name"><bdi>${each.input}</bdi></th>
              <td><meter max=${most || 1} value=${Math.max(each.mean, 0)} aria-label=${`Importance of ${each.input}`}></meter></td>
              <td class="number">${number(each.mean)}</td>
              <td class="number">${number(each.std)}</td>
            </tr>`,
          )}
        </tbody>
      </table>
    </div>
    <p class="quiet small">By how much the ${MEASURES[importance.measure] ?? importance.measure} rises when the values of an input are exchanged between ${count(importance.rows)} rows of the ${importance.part} part, with the standard deviation over ${count(importance.permutations)} permutations. Inputs that say the same share their importance.${more > 0 ? ` There are ${count(more)} less important ones.` : ""}${importance.left_out ? ` ${count(importance.left_out)} could not be measured.` : ""}</p>`;
}
