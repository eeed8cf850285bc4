// The address bar says what is shown: `#/models/houses/3?tab=try` is the page `models` with two more parts and a query.
import { useEffect, useState } from "../vendor/preact.js";

/** The address as { parts: ["models", "houses", "3"], query: { tab: "try" } }. */
export function parse(hash) {
  const [path, query = ""] = hash.replace(/^#\/?/, "").split("?");
  return {
    parts: path.split("/").filter(Boolean).map(decode),
    query: Object.fromEntries(new URLSearchParams(query)),
  };
}

/** The hash of a list of parts and a query; empty values are left out. */
export function link(parts, query = {}) {
  const given = Object.entries(query).filter(([, value]) => value !== undefined && value !== null && value !== "");
  const search = new URLSearchParams(given).toString();
  return "#/" + parts.map((part) => encodeURIComponent(part)).join("/") + (search && "?" + search);
}

/** Shows another address; with `replace` without a step in the browser's history. */
export function go(parts, query = {}, { replace = false } = {}) {
  const target = link(parts, query);
  if (replace) {
    history.replaceState(null, "", target);
    dispatchEvent(new HashChangeEvent("hashchange"));
  } else location.hash = target;
}

/** The current address, in a component. */
export function useAddress() {
  const [address, setAddress] = useState(() => parse(location.hash));
  useEffect(() => {
    const changed = () => setAddress(parse(location.hash));
    addEventListener("hashchange", changed);
    return () => removeEventListener("hashchange", changed);
  }, []);
  return address;
}

function decode(part) {
  try {
    return decodeURIComponent(part);
  } catch {
    return part; // a lone % typed by hand
  }
}
