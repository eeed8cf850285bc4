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
 * `label`: what is shown, in words, for those who cannot see it; `mark`: an x value at which a vertical line is drawn.
 */
export function Curve({ x, series, label, xLabel = "", log = false, height = 260, mark = null }) {
  const marked = useRef(mark);
  marked.current = mark;
  const frame = useRef(null);
  const plot = useRef(null);
  const extent = useRef([]); // of x, when it was last drawn
  const shown = useSignal(theme);
  const names = series.map((each) => each.label).join("\n");
  useEffect(() => {
    const element = frame.current; // it is null when a last change of size is reported
    const width = () => Math.max(240, element.clientWidth);
    const drawn = new uPlot(options(series, xLabel, log, width(), height, marked), data(x, series, log), element);
    plot.current = drawn;
    const resized = new ResizeObserver(() => drawn.setSize({ width: width(), height }));
    resized.observe(element);
    return () => {
      resized.disconnect();
      drawn.destroy();
    };
  }, [names, shown, log, height, xLabel]);
  useEffect(() => {
    const { min, max } = plot.current.scales.x; // null before the first drawing
    const closer = max > min && (min > extent.current[0] || max < extent.current[1]); // the reader looks at a part of it
    extent.current = [x[0], x[x.length - 1]]; // not of the plot's data: x may be the same array, which grows
    plot.current.setData(data(x, series, log), !closer);
    if (closer) plot.current.redraw();
  }, [x, series]);
  return html`<div class="curve" ref=${frame} role="img" aria-label=${label}></div>`;
}

function data(x, series, log) {
  const drawn = (values) => (log ? values.map((value) => (value > 0 ? value : null)) : values); // others have no logarithm
  return [x, ...series.map((each) => drawn(each.values))];
}

function options(series, xLabel, log, width, height, marked) {
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
        points: { show: (plot) => plot.data[0].length < 40 },
      })),
    ],
    hooks: { drawClear: [(plot) => drawMark(plot, marked.current)] },
  };
}

function drawMark({ ctx, bbox, scales, valToPos }, at) {
  if (at === null || at < scales.x.min || at > scales.x.max) return;
  const left = Math.round(valToPos(at, "x", true));
  ctx.save();
  ctx.strokeStyle = color("--good");
  ctx.lineWidth = 1.5;
  ctx.setLineDash([4, 4]);
  ctx.beginPath();
  ctx.moveTo(left, bbox.top);
  ctx.lineTo(left, bbox.top + bbox.height);
  ctx.stroke();
  ctx.restore();
}
