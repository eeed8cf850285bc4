// The distribution of a column: bars side by side for numbers, a list with bars for categories.
import { html } from "../vendor/preact.js";
import { count, percent } from "../core/format.js";

const WIDTH = 240;
const HEIGHT = 56;

/** `of`: from `barsOf`. `label`: of what, in words. */
export function Bars({ of, label }) {
  if (of === null) return html`<p class="quiet small">No values to count.</p>`;
  return html`<figure class="bars">
    ${of.numeric ? html`<${Histogram} ...${of} label=${label} />` : html`<${Values} bars=${of.bars} />`}
    ${of.first && html`<figcaption class="quiet small">Of the first rows only: all rows were not counted.</figcaption>`}
  </figure>`;
}

function Histogram({ bars, from, to, label }) {
  const most = Math.max(...bars.map((each) => each.count), 1);
  const step = WIDTH / bars.length;
  return html`<svg viewBox=${`0 0 ${WIDTH} ${HEIGHT}`} preserveAspectRatio="none" role="img" aria-label=${`Histogram of ${label}, from ${from} to ${to}`}>
      ${bars.map((each, at) => {
        const height = each.count ? Math.max(1.5, (each.count / most) * (HEIGHT - 2)) : 0;
        return html`<rect x=${at * step + 0.5} y=${HEIGHT - height} width=${Math.max(step - 1, 0.8)} height=${height}>
          <title>${each.label}: ${count(each.count)}</title>
        </rect>`;
      })}
    </svg>
    <p class="ends small quiet"><span>${from}</span><span>${to}</span></p>`;
}

function Values({ bars }) {
  const all = bars.reduce((sum, each) => sum + each.count, 0);
  return html`<ul class="plain values">
    ${bars.map(
      (each) => html`<li class=${each.others ? "quiet" : ""}>
        <span class="value" title=${each.label}>${each.label || "(empty)"}</span>
        <meter max=${all} value=${each.count} aria-label=${`Share of ${each.label}`}></meter>
        <span class="share small quiet" title=${count(each.count)}>${percent(each.count / all, each.count / all < 0.01 ? 1 : 0)}</span>
      </li>`,
    )}
  </ul>`;
}
