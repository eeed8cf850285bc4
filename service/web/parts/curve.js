// Curves that grow, by uPlot.
import { html, useEffect, useRef } from "../vendor/preact.js";
import uPlot from "../vendor/uplot.js";
import { color, theme } from "../core/theme.js";
import { useSignal } from "../core/signal.js";

const COLORS = ["--series-1", "--series-2", "--series-3", "--series-4", "--series-5", "--series-6"];
const DASHES = [[], [6, 4], [2, 3], [10, 4, 2, 4], [1, 4], [12, 3]]; // so that colours alone do not tell curves apart

/**
 * Curves over common x values.
 *
 * `x`: numbers, rising; `series`: [{ label, values }], each as long as `x`, with null for gaps; `log`: a logarithmic y axis;
 * `label`: what is shown, in words, for those who cannot see it.
 */
export function Curve({ x, series, label, xLabel = "", log = false, height = 260 }) {
  const frame = useRef(null);
  const plot = useRef(null);
  const shown = useSignal(theme);
  const names = series.map((each) => each.label).join("\n");
  useEffect(() => {
    const width = () => Math.max(240, frame.current.clientWidth);
    const drawn = new uPlot(options(series, xLabel, log, width(), height), data(x, series), frame.current);
    plot.current = drawn;
    const resized = new ResizeObserver(() => drawn.setSize({ width: width(), height }));
    resized.observe(frame.current);
    return () => {
      resized.disconnect();
      drawn.destroy();
    };
  }, [names, shown, log, height, xLabel]);
  useEffect(() => plot.current.setData(data(x, series)), [x, series]);
  return html`<div class="curve" ref=${frame} role="img" aria-label=${label}></div>`;
}

function data(x, series) {
  return [x, ...series.map((each) => each.values)];
}

function options(series, xLabel, log, width, height) {
  const axis = { stroke: color("--quiet"), grid: { stroke: color("--line"), width: 1 }, ticks: { stroke: color("--line"), width: 1 } };
  return {
    width,
    height,
    scales: { x: { time: false }, y: log ? { distr: 3 } : {} },
    axes: [{ ...axis, label: xLabel || undefined, labelSize: 20 }, { ...axis, size: 64 }],
    cursor: { drag: { x: true, y: false } },
    series: [
      { label: xLabel || "x" },
      ...series.map((each, at) => ({
        label: each.label,
        stroke: color(COLORS[at % COLORS.length]),
        dash: DASHES[at % DASHES.length],
        width: 2,
        spanGaps: true,
        points: { show: each.values.length < 40 },
      })),
    ],
  };
}
