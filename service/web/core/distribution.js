// How often which values occur in a column: as the service found it in all rows, or else as the first rows tell.

const BARS = 24;

/** { bars: [{ label, count }], from, to, first } for a column, or null where there is nothing to count. `first`: of the first rows only. */
export function barsOf(column, rows) {
  const found = column.distribution;
  if (found?.kind === "bins") return { ...ofBins(found, column), first: false };
  if (found?.kind === "values") return { ...ofValues(found), first: false };
  if (!rows?.length) return null;
  const values = rows.map((row) => row[column.name]).filter((each) => each !== null && each !== undefined);
  if (values.length === 0) return null;
  if (values.every((each) => typeof each === "number")) return { ...ofBins(binned(values), column), first: true };
  return { ...ofValues(counted(values)), first: true };
}

function ofBins({ start, width, counts }, column) {
  const step = Math.ceil(counts.length / BARS);
  const write = column.type === "datetime" ? (value) => new Date(value * 1000).toISOString().slice(0, 10) : short;
  const bars = [];
  for (let at = 0; at < counts.length; at += step) {
    const count = counts.slice(at, at + step).reduce((sum, each) => sum + each, 0);
    bars.push({ label: `${write(start + at * width)} to ${write(start + (at + step) * width)}`, count });
  }
  const { min = start, max = start + counts.length * width } = column.type === "number" ? column.statistics : {};
  return { bars, numeric: true, from: write(min), to: write(max) };
}

function ofValues({ values, counts, others }) {
  const bars = values.map((value, at) => ({ label: String(value), count: counts[at] }));
  if (others > 0) bars.push({ label: "all others", count: others, others: true });
  return { bars, numeric: false };
}

function binned(values) {
  const low = values.reduce((least, each) => Math.min(least, each), Infinity);
  const high = values.reduce((most, each) => Math.max(most, each), -Infinity);
  const width = (high - low) / BARS || 1;
  const counts = new Array(high > low ? BARS : 1).fill(0);
  for (const each of values) counts[Math.min(counts.length - 1, Math.floor((each - low) / width))] += 1;
  return { start: low, width, counts };
}

function counted(values) {
  const found = new Map();
  for (const each of values) found.set(each, (found.get(each) ?? 0) + 1);
  const sorted = [...found].sort((one, other) => other[1] - one[1]);
  const others = sorted.slice(6).reduce((sum, each) => sum + each[1], 0);
  return { values: sorted.slice(0, 6).map(([value]) => value), counts: sorted.slice(0, 6).map(([, count]) => count), others };
}

function short(value) {
  return Number(value.toPrecision(4)).toLocaleString("en", { maximumFractionDigits: 6 });
}
