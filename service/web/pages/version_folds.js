// How far the metrics of a training in folds are apart, and what each of its networks was.
import { html } from "../vendor/preact.js";
import { count, number } from "../core/format.js";
import { MetricName } from "../parts/metric.js";

export function VersionFolds({ folds, split }) {
  if (!folds) return null;
  const names = Object.keys(folds.metrics);
  return html`<section class="sheet">
    <h2>Folds</h2>
    <div class="wide" tabindex="0" role="region" aria-label="Metrics of each fold">
      <table>
        <thead><tr><th scope="col">Metric</th><th scope="col" class="number">Mean</th><th scope="col" class="number">±</th>${folds.folds.map((_, at) => html`<th scope="col" class="number">Fold ${at + 1}</th>`)}</tr></thead>
        <tbody>
          ${names.map(
            (name) => html`<tr key=${name}>
              <th scope="row"><${MetricName} name=${name} /></th>
              <td class="number">${number(folds.metrics[name]?.mean)}</td><td class="number">${number(folds.metrics[name]?.std)}</td>
              ${folds.folds.map((each) => html`<td class="number">${number(each.metrics[name])}</td>`)}
            </tr>`,
          )}
          ${[["train_rows", "Rows learned from"], ["validation_rows", "Rows that validate"], ["best_epoch", "Best epoch"]].map(
            ([field, words]) => html`<tr key=${field}><th scope="row">${words}</th><td></td><td></td>${folds.folds.map((each) => html`<td class="number">${count(each[field])}</td>`)}</tr>`,
          )}
        </tbody>
      </table>
    </div>
    <p class="quiet small">Each network was judged by rows that it has not learned from; ± is the standard deviation over the folds. ${split?.final === "bag" ? "All of them answer together." : "What answers is one more network, which has learned from all rows but the test part."}</p>
  </section>`;
}
