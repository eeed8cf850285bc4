// Prometheus' text format, as far as a page needs it.

const LINE = /^([a-zA-Z_:][\w:]*)(?:\{(.*)\})? (\S+)$/;
const LABEL = /([a-zA-Z_]\w*)="((?:[^"\\]|\\.)*)"/g;
const ESCAPED = { "\\\\": "\\", '\\"': '"', "\\n": "\n" };

/** The samples of a text by name: Map(name → [{ labels, value }]), without the buckets of histograms. */
export function parseMetrics(text) {
  const found = new Map();
  for (const line of text.split("\n")) {
    if (line.startsWith("#") || line.includes("_bucket{")) continue;
    const [, name, labels = "", value] = LINE.exec(line) ?? [];
    if (name === undefined) continue;
    const pairs = [...labels.matchAll(LABEL)].map((each) => [each[1], each[2].replace(/\\[\\"n]/g, (escaped) => ESCAPED[escaped])]);
    const samples = found.get(name) ?? [];
    if (samples.length === 0) found.set(name, samples);
    samples.push({ labels: Object.fromEntries(pairs), value: Number(value) });
  }
  return found;
}

/** The sum of the samples of a name whose labels `where` accepts; null if there are none of that name. */
export function sumOf(metrics, name, where = () => true) {
  const samples = metrics.get(name);
  return samples === undefined ? null : samples.filter((each) => where(each.labels)).reduce((sum, each) => sum + each.value, 0);
}
