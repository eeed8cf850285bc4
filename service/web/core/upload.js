// Uploads of tables, with their progress: fetch does not tell how much of a body has been sent, XMLHttpRequest does.
import { Problem, Unreachable, key, keyWanted, online, url } from "./api.js";

/**
 * Uploads a file as the newest version of a data set: { done, cancel }. `done` is a promise of the data set and of whether the
 * version is new; it throws Problem, Unreachable, or AbortError after `cancel()`.
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
      online.set(false);
      reject(new Unreachable());
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
