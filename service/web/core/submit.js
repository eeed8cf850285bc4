// Submits a spec: once, however often it is asked for.
import { call } from "./api.js";

/** A new Idempotency-Key. crypto.randomUUID is there only with TLS or on the own machine. */
export function newKey() {
  return [...crypto.getRandomValues(new Uint8Array(16))].map((each) => each.toString(16).padStart(2, "0")).join("");
}

/** The job of a spec. Throws as `call` does. */
export function submit(spec, key = newKey()) {
  return call("v1/training-jobs", { method: "POST", body: spec, headers: { "Idempotency-Key": key } });
}
