// The name of a metric, with an arrow for the direction in which it is better.
import { html } from "../vendor/preact.js";
import { betterWhen } from "../core/metrics.js";

export function MetricName({ name }) {
  const better = betterWhen(name);
  if (better === null) return html`<span>${name}</span>`;
  const words = better === "low" ? "lower is better" : "higher is better";
  return html`<span title=${words}>${name} <span role="img" aria-label=${`(${words})`}>${better === "low" ? "↓" : "↑"}</span></span>`;
}
