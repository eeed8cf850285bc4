// Try it: a form of the inputs, the prediction while one types, and the same request in other languages.
import { html, useEffect, useMemo, useState } from "../vendor/preact.js";
import { ROOT, key, online, request } from "../core/api.js";
import { bodyOf, errorsOf, firstValues, instanceOf, isShaped, isWaiting, takesFile } from "../core/inputs.js";
import { LANGUAGES } from "../core/snippets.js";
import { useSignal } from "../core/signal.js";
import { Code } from "../parts/code.js";
import { Failure } from "../parts/states.js";
import { IntervalChoice } from "./interval_choice.js";
import { Prediction } from "./prediction.js";
import { TryForm } from "./try_form.js";
import { VersionExplanation } from "./version_explanation.js";

const PAUSE = 120; // milliseconds after a key, before the service is asked

export function VersionTry({ name, manifest, path }) {
  const { inputs, outputs } = manifest.signature;
  const first = useMemo(() => firstValues(inputs, manifest.ranges), [manifest.digest]);
  const [values, setValues] = useState(first);
  const { instance, errors } = useMemo(() => instanceOf(inputs, values), [values]);
  const waiting = isWaiting(inputs, values);
  const [interval, setInterval] = useState(null); // the level of the interval or the set, if one is asked for
  const answer = usePrediction(path, errors.size === 0 && !waiting ? instance : null, interval);
  const problems = errors.size > 0 ? errors : errorsOf(answer.error);
  const set = (input, value) => setValues((were) => new Map(were).set(input, value));
  const elsewhere = answer.error && ![...problems.keys()].some((each) => inputs.some((input) => input.name === each));
  return html`<div class="columns">
      <form class="sheet" onSubmit=${(event) => event.preventDefault()}>
        <div class="heading">
          <h2>Inputs</h2>
          <button type="button" onClick=${() => setValues(first)}>Reset</button>
        </div>
        ${inputs.some((each) => !isShaped(each)) && html`<p class="quiet small">It begins in the middle of the training’s values. What is left empty is a missing value.</p>`}
        <${TryForm} inputs=${inputs} ranges=${manifest.ranges} values=${values} errors=${problems} onChange=${set} />
      </form>
      <div class="beside">
        <section class="sheet answer">
          <h2>Prediction</h2>
          ${manifest.conformal && html`<${IntervalChoice} conformal=${manifest.conformal} level=${interval} choose=${setInterval} />`}
          ${elsewhere && html`<${Failure} error=${answer.error} />`}
          ${problems.size > 0 && html`<p class="quiet small">It waits for the inputs that are marked.</p>`}
          ${waiting && html`<p class="quiet">Choose a file or write a text, and the answer is here.</p>`}
          <${Prediction} answer=${answer} outputs=${outputs} ranges=${manifest.ranges} stale=${waiting || problems.size > 0 || answer.error !== null} />
          <${VersionExplanation} path=${path} instance=${errors.size === 0 && !waiting && answer.error === null ? instance : null} />
        </section>
      </div>
    </div>
    <${Snippets} name=${name} version=${manifest.version} instance=${withFiles(inputs, instance)} interval=${interval} />`;
}

/** The instance with the names of its files in place of their contents, also of those that are not chosen yet. */
function withFiles(inputs, instance) {
  const named = inputs.filter(takesFile).map((each) => [each.name, { file: instance[each.name]?.name ?? (each.type === "video" ? "clip.mp4" : "photo.jpg") }]);
  return { ...instance, ...Object.fromEntries(named) };
}

/** { data, unknown, error } of the newest instance; answers about older ones are dropped. The last answer stays until the next. */
function usePrediction(path, instance, interval) {
  const secret = useSignal(key);
  const up = useSignal(online); // once the service is back it is asked again
  const [answer, setAnswer] = useState({ data: null, unknown: 0, error: null });
  useEffect(() => {
    if (instance === null) return;
    const abort = new AbortController();
    const timer = setTimeout(async () => {
      try {
        const response = await request(`${path}/predictions${interval ? `?interval=${interval}` : ""}`, { method: "POST", body: bodyOf(instance), headers: { Accept: "application/json" }, signal: abort.signal });
        const { predictions } = await response.json();
        if (!abort.signal.aborted) setAnswer({ data: predictions[0], unknown: Number(response.headers.get("Unknown-Categories") ?? 0), error: null });
      } catch (error) {
        if (!abort.signal.aborted) setAnswer((was) => ({ ...was, error }));
      }
    }, PAUSE);
    return () => (clearTimeout(timer), abort.abort());
  }, [path, instance, interval, secret, up]);
  return answer;
}

function Snippets({ name, version, instance, interval }) {
  const secret = useSignal(key);
  const [chosen, setChosen] = useState("curl");
  const language = LANGUAGES.find((each) => each.id === chosen);
  const text = language.write({ root: ROOT.href, name, version, instance, interval, withKey: secret !== "" });
  return html`<section class="sheet">
    <div class="heading">
      <h2>The same request</h2>
      <div class="row tight" role="group" aria-label="Language">
        ${LANGUAGES.map((each) => html`<button type="button" aria-pressed=${each.id === chosen ? "true" : "false"} onClick=${() => setChosen(each.id)}>${each.label}</button>`)}
      </div>
    </div>
    <${Code} text=${text} label=${`The same request in ${language.label}`} />
    ${secret !== "" && html`<p class="quiet small">The key is read from the variable MODELWRIGHT_API_KEY of the environment, so that it is in no file.</p>`}
  </section>`;
}
