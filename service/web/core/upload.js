// Uploads of tables, with their progress: fetch does not tell how much of a body has been sent, XMLHttpRequest does.
import { Problem, key, keyWanted, online, request, url } from "./api.js";

const BROKEN =
  "The connection broke off before the service had answered. If the service is there, the file may be larger than it takes, or was changed or moved meanwhile.";

/**
 * Uploads a file as the newest version of a data set: { done, cancel }. `done` is a promise of the data set and of whether the
 * version is new; it throws Problem, or AbortError after `cancel()`.
 * `reading`: how the file is read, where that is not to be found out, as in the query of PUT /v1/datasets/{name}.
 * `onProgress` gets the share that was sent, from 0 to 1; at 1 the service reads the file.
 */
export function upload(name, file, onProgress, reading = {}) {
  const sending = new XMLHttpRequest();
  const done = new Promise((resolve, reject) => {
    sending.open("PUT", url(`v1/datasets/${encodeURIComponent(name)}`, reading));
    sending.setRequestHeader("Content-Type", "application/octet-stream"); // what it is is found from its bytes
    sending.setRequestHeader("Accept", "application/json");
    if (key.value) sending.setRequestHeader("Authorization", `Bearer ${key.value}`);
    sending.upload.onprogress = (event) => event.total > 0 && onProgress(event.loaded / event.total);
    sending.upload.onload = () => onProgress(1);
    sending.onabort = () => reject(new DOMException("The upload was cancelled.", "AbortError"));
    sending.onerror = () => {
      request("livez").catch(() => {}); // the page says so if the service is away
      reject(new Problem(0, { detail: BROKEN }));
    };
    sending.onload = () => {
      online.set(true);
      const answer = parsed(sending.responseText);
      if (sending.status < 300 && answer) return resolve({ dataset: answer, isNew: sending.status === 201 });
      const problem = new Problem(sending.status, answer ?? {});
      if (sending.status === 401) keyWanted.set(problem);
      reject(problem);
    };
    sending.send(file);
  });
  return { done, cancel: () => sending.abort() };
}

function parsed(text) {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
