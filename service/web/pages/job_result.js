// The model that a job has made: where it is, and how good it is beside the baseline.
import { html } from "../vendor/preact.js";
import { link } from "../core/address.js";
import { number } from "../core/format.js";
import { useResource } from "../core/resource.js";
import { Ready } from "../parts/states.js";

const PARTS = { test: "Test", validation: "Validation", train: "Train", baseline: "Baseline" };
const WORDS = {
  mae: "Mean absolute error",
  rmse: "Root mean squared error",
  r2: "R²",
  accuracy: "Accuracy",
  balanced_accuracy: "Balanced accuracy",
  f1: "F1",
  auroc: "Area under the ROC curve",
  log_loss: "Log loss",
  ece: "Calibration error",
  coverage: "Truth in the interval or set of 90 %",
  interval_width: "Width of an interval of 90 %",
  set_size: "Classes in a set of 90 %",
};
const SMALLER = ["mae", "rmse", "log_loss", "ece"]; // metrics of which the smaller value is the better one
const FIRST = ["mae", "balanced_accuracy", "accuracy", "rmse"]; // by which the model is compared with the baseline

export function JobResult({ job }) {
  if (job.result.trials) return html`<${TrialsResult} job=${job} />`;
  return job.result.version === null ? html`<${TrialResult} job=${job} />` : html`<${ModelResult} job=${job} />`;
}

// A trial of a sweep publishes no version: its sweep trains the best settings again.
function TrialResult({ job }) {
  return html`<section class="sheet" aria-label="Result">
    <h2>Result: trial ${job.sweep.number} of sweep ${job.sweep.id}</h2>
    <p class="quiet">It has no version: the sweep trains the best settings again, and publishes those.</p>
    <${Metrics} metrics=${job.result.metrics ?? {}} />
  </section>`;
}

// Trials that were trained together have one job, and figures of their own.
function TrialsResult({ job }) {
  const trials = Object.entries(job.result.trials);
  return html`<section class="sheet" aria-label="Result">
    <h2>Result: ${trials.length} trials of sweep ${job.sweep.id}</h2>
    <p class="quiet">They were trained together, and have no version: the sweep trains the best settings again, alone, and publishes those.</p>
    <div class="wide" tabindex="0" role="region" aria-label="Losses of the trials">
      <table>
        <thead>
          <tr><th scope="col" class="number">Trial</th><th scope="col" class="number">Validation loss</th><th scope="col" class="number">Train loss</th><th scope="col">Error</th></tr>
        </thead>
        <tbody>
          ${trials.map(
            ([trial, { losses, error }]) => html`<tr>
              <th scope="row" class="number">${trial}</th>
              <td class="number">${isNumber(losses?.validation_loss) ? number(losses.validation_loss) : ""}</td>
              <td class="number">${isNumber(losses?.train_loss) ? number(losses.train_loss) : ""}</td>
              <td>${error?.detail ?? ""}</td>
            </tr>`,
          )}
        </tbody>
      </table>
    </div>
  </section>`;
}

function ModelResult({ job }) {
  const { model_name: name, version } = job.result;
  const manifest = useResource(`v1/models/${name}/versions/${version}`);
  const model = link(["models", name, String(version)]);
  if (manifest.error?.status === 404) {
    return html`<section class="sheet"><h2>Result</h2><p class="quiet">It made ${name} version ${version}, which has been deleted since.</p></section>`;
  }
  return html`<section class="sheet" aria-label="Result">
    <div class="heading">
      <h2>Result: <a href=${model}>${name} version ${version}</a></h2>
      <div class="row"><a class="button primary" href=${link(["models", name, String(version)], { tab: "try" })}>Try the model</a></div>
    </div>
    <${Ready} of=${manifest} what="Reading the metrics">${(version) => html`<${Metrics} metrics=${version.metrics ?? {}} />${(version.warnings ?? []).map((each) => html`<p class="warning">${each}.</p>`)}`}<//>
  </section>`;
}

function Metrics({ metrics }) {
  const parts = Object.keys(PARTS).filter((part) => metrics[part]);
  const names = [...new Set(parts.flatMap((part) => Object.keys(metrics[part])))].filter((name) => parts.some((part) => isNumber(metrics[part][name])));
  if (names.length === 0) return html`<p class="quiet">It has no metrics: there were no rows to evaluate it with.</p>`;
  return html`<p>${verdict(metrics)}</p>
    <div class="wide" tabindex="0" role="region" aria-label="Metrics of the model">
      <table>
        <thead>
          <tr><th scope="col">Metric</th>${parts.map((part) => html`<th scope="col" class="number">${PARTS[part]}</th>`)}</tr>
        </thead>
        <tbody>
          ${names.map(
            (name) => html`<tr>
              <th scope="row">${WORDS[name] ?? name} <code class="quiet">${name}</code></th>
              ${parts.map((part) => html`<td class="number">${number(metrics[part][name])}</td>`)}
            </tr>`,
          )}
        </tbody>
      </table>
    </div>`;
}

/** One sentence on whether the model is better than an answer that ignores the inputs. */
function verdict({ test, validation, train, baseline }) {
  const [part, values] = Object.entries({ test, validation, train }).find(([, each]) => each) ?? [];
  const name = FIRST.find((each) => isNumber(values?.[each]) && isNumber(baseline?.[each]));
  if (!name) return "The baseline gives the same answer to each row.";
  const better = SMALLER.includes(name) ? values[name] < baseline[name] : values[name] > baseline[name];
  const figures = `${WORDS[name].toLowerCase()} ${number(values[name])} on the ${part} rows, and ${number(baseline[name])} for a baseline that gives the same answer to each row.`;
  return better ? `Better than the baseline: ${figures}` : `No better than the baseline: ${figures} More rows, other columns or more epochs may help.`;
}

function isNumber(value) {
  return typeof value === "number";
}
