// The metrics of versions: which of them are better low, and which version is best.

export const PARTS = ["test", "validation", "train"];

const LOWER = new Set(["mae", "rmse", "mse", "log_loss", "loss", "ece"]);
const HIGHER = new Set(["r2", "accuracy", "balanced_accuracy", "f1", "auroc"]);
const FIRST = ["r2", "accuracy", "f1"]; // what a list of models shows of each, if it has it

/** "low", "high", or null for a metric of which that is not known. */
export function betterWhen(metric) {
  if (LOWER.has(metric)) return "low";
  return HIGHER.has(metric) ? "high" : null;
}

/** The best of the values of a metric; null if they do not differ, or if it is not known what is better. */
export function bestOf(metric, values) {
  const better = betterWhen(metric);
  const found = values.filter((each) => typeof each === "number");
  if (better === null || found.length < 2) return null;
  const lowest = Math.min(...found);
  const highest = Math.max(...found);
  if (lowest === highest) return null;
  return better === "low" ? lowest : highest;
}

/** The part by which a version is judged: the test part, or else the last one with rows. */
export function judgedBy(metrics) {
  return PARTS.find((part) => metrics?.[part]) ?? null;
}

/** The names of all metrics of one part in a list of versions, in the order of the first version that has them. */
export function namesOf(versions, part) {
  return [...new Set(versions.flatMap((each) => Object.keys(each.metrics?.[part] ?? {})))].sort(byUse);
}

/** { name, value, baseline, part } of the metric that says most about a model; null if it has none. A threshold by a cost or by
 * another metric gives up accuracy on purpose. */
export function headline(metrics, threshold = null) {
  const part = judgedBy(metrics);
  if (part === null) return null;
  const names = Object.keys(metrics[part]);
  const first = threshold && threshold.measure !== "accuracy" ? ["balanced_accuracy", ...FIRST] : FIRST;
  const name = first.find((each) => names.includes(each)) ?? names[0];
  return name ? { name, value: metrics[part][name], baseline: metrics.baseline?.[name] ?? null, part } : null;
}

/** Whether a value is better than that of the baseline; null if that cannot be said. */
export function beats(metric, value, baseline) {
  const better = betterWhen(metric);
  if (better === null || typeof value !== "number" || typeof baseline !== "number") return null;
  return better === "low" ? value < baseline : value > baseline;
}

function byUse(one, other) {
  const place = (name) => (FIRST.indexOf(name) + 1 || FIRST.length + 1);
  return place(one) - place(other);
}
