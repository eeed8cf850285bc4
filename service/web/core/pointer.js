// JSON pointers (RFC 6901), and values at them in documents that are never changed in place.

/** The steps of a pointer: "/split/train" is ["split", "train"]. */
export function steps(pointer) {
  return pointer === "" ? [] : pointer.slice(1).split("/").map((step) => step.replaceAll("~1", "/").replaceAll("~0", "~"));
}

/** The pointer of a member of the value at `pointer`. */
export function member(pointer, name) {
  return `${pointer}/${String(name).replaceAll("~", "~0").replaceAll("/", "~1")}`;
}

/** The value at a pointer; undefined where there is none. */
export function at(document, pointer) {
  let found = document;
  for (const step of steps(pointer)) {
    if (found === null || typeof found !== "object" || !Object.hasOwn(found, step)) return undefined;
    found = found[step];
  }
  return found;
}

/** The document with another value at a pointer; undefined takes it out, together with objects that it leaves empty. */
export function put(document, pointer, value) {
  return changed(document, steps(pointer), value) ?? {};
}

function changed(document, [step, ...rest], value) {
  if (step === undefined) return value;
  if (Array.isArray(document)) {
    const copy = [...document];
    copy[Number(step)] = changed(copy[Number(step)], rest, value);
    return copy.filter((each) => each !== undefined);
  }
  const copy = document !== null && typeof document === "object" ? { ...document } : {};
  const next = changed(copy[step], rest, value);
  if (next === undefined) delete copy[step];
  else copy[step] = next;
  return value === undefined && Object.keys(copy).length === 0 ? undefined : copy;
}
