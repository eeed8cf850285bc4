// Names of data sets and models, by the service's rule: lower case letters, digits, and ".", "_", "-" between them; at most 64.
import { call } from "./api.js";

const LONGEST = 64;
const RESERVED = /^(con|prn|aux|nul|com[1-9]|lpt[1-9])(\.|$)/;
export const NAME_HINT = "Lower case letters and digits, with . _ - between them, at most 64.";

export function isName(text) {
  return /^[a-z0-9]([a-z0-9._-]{0,62}[a-z0-9])?$/.test(text) && !text.includes("..") && !RESERVED.test(text);
}

/** A name for what is in a file: "House prices (2).csv.gz" is "house-prices-2". */
export function nameOf(file) {
  const stem = file.replace(/(\.(csv|tsv|txt|json|jsonl|ndjson|xlsx|parquet|arrow|feather|gz|zip))+$/i, "");
  const name = stem
    .normalize("NFKD")
    .replace(/\p{Mn}/gu, "")
    .replace(/[đĐ]/g, "d")
    .toLowerCase()
    .replace(/[^a-z0-9_.-]+/g, "-")
    .replace(/\.{2,}/g, ".")
    .slice(0, LONGEST)
    .replace(/^[^a-z0-9]+|[^a-z0-9]+$/g, "");
  return isName(name) ? name : "data";
}

/** The data set of a name, if there is one. A list is asked for what is at that place, since 404 is an error for browsers. */
export async function existing(name, signal) {
  const before = `${name.slice(0, -1)}${String.fromCharCode(name.charCodeAt(name.length - 1) - 1)}~`;
  const page = await call("v1/datasets", { query: { after: before, limit: 1 }, signal });
  return page.data[0]?.name === name ? page.data[0] : null;
}
