// JSON pointers (RFC 6901), and the values at them.

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
