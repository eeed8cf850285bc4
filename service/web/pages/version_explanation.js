// Why this prediction: what each input adds to it, compared with a typical row, as bars to both sides.
import { html, useEffect, useState } from "../vendor/preact.js";
import { call, key, online } from "../core/api.js";
import { number, percent } from "../core/format.js";
import { bodyOf } from "../core/inputs.js";
import { useSignal } from "../core/signal.js";

const PAUSE = 350; // milliseconds after a key: it takes longer than the prediction
const MOST = 12; // inputs that are shown
const TOO_MUCH = 413;

/** `instance`: what is predicted; null while it is not complete. An instance with files is not explained here. */
export function VersionExplanation({ path, instance }) {
  const found = useExplanation(path, instance === null || bodyOf(instance) instanceof FormData ? null : instance);
  if (found === null) return null;
  if (found.status === TOO_MUCH) return html`<h3>Why</h3><p class="quiet small">${found.message}</p>`;
  const [explained, added] = [found.explained[0], found.attributions[0]];
  const base = found.baseline.prediction;
  return html`<h3>Why</h3>
    ${Array.isArray(explained)
      ? explained.map((name, at) => html`<${Added} key=${name} what=${name} added=${added[name]} base=${Array.isArray(base) ? number(base[at]) : percent(base.probabilities[name], 1)} />`)
      : html`<${Added} what=${String(explained)} added=${added} base=${baseOf(base, explained)} />`}
    <p class="quiet small">Compared with a row of the training’s means and most frequent values. The figures add up to the difference from its answer; they are about the model, not about causes.</p>`;
}

/** The answer to the typical row. */
function baseOf(base, explained) {
  if (base?.probabilities) return percent(base.probabilities[typeof explained === "string" ? explained : JSON.stringify(explained)], 1);
  return number(base);
}

function Added({ what, added, base }) {
  const entries = Object.entries(added).sort((one, other) => Math.abs(other[1] ?? 0) - Math.abs(one[1] ?? 0));
  const shown = entries.slice(0, MOST);
  const most = Math.max(...shown.map((each) => Math.abs(each[1] ?? 0))) || 1;
  return html`<table class="added">
      <caption class="quiet small">What each input adds to <bdi>${what}</bdi>; a typical row has ${base}</caption>
      <tbody>
        ${shown.map(
          ([name, value]) => html`<tr key=${name}>
            <th scope="row"><bdi>${name}</bdi></th>
            <td class="sides" aria-hidden="true">${value ? html`<div class=${value < 0 ? "less" : "more"} style=${{ width: `${(Math.abs(value) / most) * 50}%` }}></div>` : null}</td>
            <td class="number">${value > 0 ? "+" : ""}${value === null ? "not a number" : number(value)}</td>
          </tr>`,
        )}
      </tbody>
    </table>
    ${entries.length > shown.length && html`<p class="quiet small">${entries.length - shown.length} other inputs add less.</p>`}`;
}

/** The explanation of the newest instance; the last one stays until the next. Errors of the inputs are those of the prediction. */
function useExplanation(path, instance) {
  const secret = useSignal(key);
  const up = useSignal(online);
  const [found, setFound] = useState(null);
  useEffect(() => {
    if (instance === null) return setFound(null);
    const abort = new AbortController();
    const timer = setTimeout(async () => {
      try {
        const answer = await call(`${path}:explain`, { method: "POST", body: bodyOf(instance), signal: abort.signal });
        if (!abort.signal.aborted) setFound(answer);
      } catch (error) {
        if (!abort.signal.aborted) setFound(error.status === TOO_MUCH ? error : null);
      }
    }, PAUSE);
    return () => (clearTimeout(timer), abort.abort());
  }, [path, instance, secret, up]);
  return found;
}
