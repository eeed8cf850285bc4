// A histogram of numbers.
import { html } from "../vendor/preact.js";
import { count, number } from "../core/format.js";

const BINS = 40;
const WIDTH = 600;
const HEIGHT = 140;

/** `values`: finite numbers, at least one; `label`: of what, in words. */
export function Histogram({ values, label }) {
  const { counts, least, largest, width } = binned(values);
  const most = Math.max(...counts);
  const step = WIDTH / counts.length;
  return html`<figure class="histogram">
    <svg viewBox=${`0 0 ${WIDTH} ${HEIGHT}`} preserveAspectRatio="none" role="img" aria-label=${`Histogram of ${label}: ${count(values.length)} values from ${number(least)} to ${number(largest)}`}>
      ${counts.map((each, at) => {
        const height = each === 0 ? 0 : Math.max(2, (each / most) * HEIGHT);
        return html`<rect x=${at * step + 0.75} y=${HEIGHT - height} width=${Math.max(1, step - 1.5)} height=${height}>
          <title>${number(least + at * width)} to ${number(least + (at + 1) * width)}: ${count(each)}</title>
        </rect>`;
      })}
    </svg>
    <p class="limits small quiet"><span>${number(least)}</span><span>most in one bar: ${count(most)}</span><span>${number(largest)}</span></p>
  </figure>`;
}

function binned(values) {
  let [least, largest] = [Infinity, -Infinity];
  for (const each of values) {
    if (each < least) least = each;
    if (each > largest) largest = each;
  }
  const bins = largest > least ? Math.min(BINS, Math.max(5, Math.ceil(2 * Math.cbrt(values.length)))) : 1; // Rice's rule
  const width = (largest - least) / bins;
  const counts = new Array(bins).fill(0);
  for (const each of values) counts[width > 0 ? Math.min(bins - 1, Math.floor((each - least) / width)) : 0] += 1;
  return { counts, least, largest, width };
}
