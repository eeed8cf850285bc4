// What is known of the values of a column of images, videos, texts or tensors, in words.
import { bytes, count, number } from "./format.js";

/** Sentences about a column whose values have a shape; an empty list for a column of a table. */
export function toldOf({ type, statistics }) {
  if (type === "image" || type === "video") return ofFiles(statistics);
  if (type === "tensor") return statistics.shape ? [`${statistics.shape.join(" × ")} numbers`, statistics.dtype].filter(Boolean) : [];
  if (type === "text") return ofTexts(statistics);
  return [];
}

function ofFiles({ width, height, frames, formats, channels, bytes: size }) {
  const told = [];
  if (width && height) told.push(`${spread(width)} × ${spread(height)} pixels`);
  if (frames) told.push(`${spread(frames)} frames`);
  const named = Object.entries(formats ?? {}).map(([name, files]) => `${count(files)} ${name.toUpperCase()}`);
  if (named.length) told.push(named.join(", "));
  if (channels) told.push(channels === 1 ? "grey" : "in colour");
  if (size) told.push(bytes(size));
  return told;
}

function ofTexts({ length, words, characters }) {
  const told = [];
  for (const [name, found] of [["characters", length ?? characters], ["words", words]]) {
    if (found && typeof found === "object" && "max" in found) told.push(`${spread(found)} ${name}`);
  }
  return told;
}

/** "28", "12 to 640", by { min, max } or a number. */
function spread(found) {
  if (typeof found === "number") return number(found);
  return found.min === found.max ? number(found.min) : `${number(found.min)} to ${number(found.max)}`;
}
