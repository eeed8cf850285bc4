// Calls of the HTTP API. The key lives in this tab only (sessionStorage), and is sent as a header, never in an address.
import { signal } from "./signal.js";

export const ROOT = new URL(".", document.baseURI); // also behind a proxy, under a path of its own
const KEY = "modelwright.key";

export const key = signal(sessionStorage.getItem(KEY) ?? "");
export const keyWanted = signal(null); // the Problem by which the service refused the key, or its absence
export const online = signal(true); // whether the service answered the last call

/** What the service answered instead: its `code`, its `detail`, and `errors` with a JSON pointer each. */
export class Problem extends Error {
  constructor(status, document) {
    super(document.detail ?? document.title ?? `The service answered ${status}.`);
    this.status = status;
    this.code = document.code ?? null;
    this.errors = document.errors ?? [];
  }
}

/** The service did not answer at all. */
export class Unreachable extends Error {
  constructor() {
    super("The service does not answer. This page goes on by itself when it is back.");
  }
}

export function setKey(value) {
  if (value) sessionStorage.setItem(KEY, value);
  else sessionStorage.removeItem(KEY);
  key.set(value);
  keyWanted.set(null);
}

/** The address of a path of the API, with a query; empty values are left out. */
export function url(path, query = {}) {
  const found = new URL(path.replace(/^\//, ""), ROOT);
  for (const [name, value] of Object.entries(query)) {
    for (const each of Array.isArray(value) ? value : [value]) {
      if (each !== undefined && each !== null && each !== "") found.searchParams.append(name, each);
    }
  }
  return found;
}

/** The response of a call that succeeded. Throws Problem, Unreachable, or AbortError once `signal` is aborted. */
export async function request(path, { method = "GET", query, body, headers = {}, signal: aborted } = {}) {
  const sent = new Headers(headers);
  if (key.value) sent.set("Authorization", `Bearer ${key.value}`);
  let content = body;
  if (body !== undefined && !isRaw(body)) {
    content = JSON.stringify(body);
    sent.set("Content-Type", "application/json");
  }
  let response;
  try {
    response = await fetch(url(path, query), { method, body: content, headers: sent, signal: aborted, cache: "no-cache" });
  } catch (error) {
    if (aborted?.aborted) throw error;
    online.set(false);
    throw new Unreachable();
  }
  online.set(true);
  if (response.ok) return response;
  const problem = await problemOf(response);
  if (response.status === 401) keyWanted.set(problem);
  throw problem;
}

/** The JSON that a call answers; null where it answers nothing. */
export async function call(path, options) {
  const response = await request(path, { ...options, headers: { Accept: "application/json", ...options?.headers } });
  return response.status === 204 ? null : response.json();
}

/** The Problem of a response that is not ok. */
export async function problemOf(response) {
  const text = await response.text().catch(() => "");
  try {
    return new Problem(response.status, JSON.parse(text));
  } catch {
    return new Problem(response.status, { detail: `${response.status} ${response.statusText}`.trim() });
  }
}

/** Asks every two seconds whether the service is back, while it does not answer. */
export function watchConnection() {
  online.follow(async (up) => {
    while (!up && !online.value) {
      await new Promise((done) => setTimeout(done, 2000));
      await request("livez").catch(() => {});
    }
  });
}

function isRaw(body) {
  return typeof body === "string" || body instanceof Blob || body instanceof ArrayBuffer || body instanceof FormData;
}
