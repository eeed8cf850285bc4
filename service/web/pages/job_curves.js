// The learning curves of a job.
import { html, useMemo } from "../vendor/preact.js";
import { go } from "../core/address.js";
import { number } from "../core/format.js";
import { Curve } from "../parts/curve.js";
import { Failure } from "../parts/states.js";

const PARTS = ["train", "validation"];

/** `query`: of the address, whose `log` and `metric` say what is drawn. */
export function Curves({ job, history, query }) {
  const { series, seriesError } = history;
  const metrics = metricsOf(series);
  const chosen = metrics.includes(query.metric) ? query.metric : metrics[0];
  const log = query.log === "1";
  const curves = useMemo(() => curvesOf(series, chosen), [series, chosen]);
  const inFolds = job.spec?.split?.kind === "k_fold";
  const best = useMemo(() => (inFolds ? null : bestOf(series, chosen)), [series, chosen, inFolds]);
  const change = (changes) => go(["jobs", job.id], { ...query, ...changes }, { replace: true });
  return html`<section class="sheet" aria-label="Learning curves">
    <div class="heading">
      <h2>Learning curves</h2>
      <div class="row">
        ${metrics.length > 1 &&
        html`<label>
          Metric
          <select value=${chosen} onChange=${(event) => change({ metric: event.target.value })}>
            ${metrics.map((each) => html`<option value=${each}>${words(each)}</option>`)}
          </select>
        </label>`}
        <label><input type="checkbox" checked=${log} onChange=${(event) => change({ log: event.target.checked ? "1" : "" })} /> Logarithmic scale</label>
      </div>
    </div>
    <${Failure} error=${seriesError} />
    ${series.epoch.length > 0
      ? html`<${Curve} x=${series.epoch} series=${curves} log=${log} xLabel="Epoch" height=${320} mark=${best?.epoch} label=${inWords(series, curves, chosen)} />
          <p class="quiet small">${inFolds ? "The networks of the folds are trained one after another." : best ? bestInWords(best, series) : ""} Drag across the curves to look closer; a double click shows all again.</p>`
      : !seriesError && html`<p class="quiet">${job.finished_at ? "It ended before its first epoch." : "They begin with the first epoch."}</p>`}
  </section>`;
}

/** What there are series of: "loss", if there are `train_loss` and `validation_loss`; the loss first. */
function metricsOf(series) {
  const names = Object.keys(series).filter((name) => name !== "epoch");
  const metrics = [...new Set(names.map((name) => name.replace(/^(train|validation)_/, "")))];
  return metrics.sort((a, b) => (b === "loss") - (a === "loss"));
}

function curvesOf(series, metric) {
  const parts = PARTS.filter((part) => series[`${part}_${metric}`]).map((part) => ({ label: words(part), values: series[`${part}_${metric}`] }));
  return parts.length || !series[metric] ? parts : [{ label: words(metric), values: series[metric] }];
}

/** The epoch with the smallest loss, of the validation part if there is one. */
function bestOf(series, metric) {
  const part = PARTS.findLast((each) => series[`${each}_loss`]);
  if (metric !== "loss" || !part) return null;
  let at = 0;
  const values = series[`${part}_loss`];
  for (let next = 1; next < values.length; next += 1) if (values[next] !== null && (values[at] === null || values[next] < values[at])) at = next;
  return values.length && values[at] !== null ? { epoch: series.epoch[at], value: values[at], part } : null;
}

function bestInWords({ epoch, value, part }, series) {
  const last = series.epoch[series.epoch.length - 1];
  const behind = part === "validation" && last - epoch > 0.3 * last && last > 10;
  return `Smallest ${part} loss: ${number(value)} in epoch ${epoch}.${behind ? " It has not become smaller since: more epochs may not help." : ""}`;
}

function inWords(series, curves, metric) {
  const last = series.epoch.length - 1;
  const values = curves.map((each) => `${each.label} ${number(each.values[last])}`).join(", ");
  return `${words(metric)} by epoch, up to epoch ${series.epoch[last]}: ${values}`;
}

function words(name) {
  const text = name.replaceAll("_", " ");
  return text.charAt(0).toUpperCase() + text.slice(1);
}
