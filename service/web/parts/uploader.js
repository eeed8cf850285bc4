// Files that are dropped or picked, the names of their data sets, and their uploads.
import { html, useEffect, useRef, useState } from "../vendor/preact.js";
import { go, link } from "../core/address.js";
import { bytes, count } from "../core/format.js";
import { NAME_HINT, existing, isName, nameOf } from "../core/names.js";
import { upload } from "../core/upload.js";
import { Field } from "./field.js";
import { Failure } from "./states.js";

let serial = 0;

/** A place to drop files at. `name`: of the data set that one file becomes a new version of, if that is decided. */
export function Uploader({ name = null, onUploaded = () => {} }) {
  const [files, setFiles] = useState([]);
  const [over, setOver] = useState(false);
  const picker = useRef(null);
  const add = (list) => {
    const added = [...list].map((file) => ({ id: (serial += 1), file, name: name ?? nameOf(file.name), state: "waiting" }));
    if (added.length) setFiles((were) => [...were.filter((each) => each.state !== "done"), ...added]);
  };
  const change = (id, fields) => setFiles((were) => were.map((each) => (each.id === id ? { ...each, ...fields } : each)));
  const remove = (id) => setFiles((were) => were.filter((each) => each.id !== id));
  const send = async (each, alone) => {
    const sending = upload(each.name, each.file, (share) => change(each.id, { share }), each.reading);
    change(each.id, { state: "sending", share: 0, error: null, cancel: sending.cancel });
    try {
      const { dataset, isNew } = await sending.done;
      change(each.id, { state: "done", dataset, isNew });
      onUploaded(dataset);
      if (alone && isNew) go(["data", dataset.name]);
    } catch (error) {
      change(each.id, error.name === "AbortError" ? { state: "waiting", share: 0 } : { state: "failed", error });
    }
  };
  const waiting = files.filter((each) => each.state === "waiting" || each.state === "failed");
  const ready = waiting.filter((each) => isName(each.name));
  const start = async (event) => {
    event.preventDefault();
    for (const each of ready) await send(each, files.length === 1); // one after the other: each has the whole line
  };
  const drop = (event) => {
    event.preventDefault();
    setOver(false);
    add(event.dataTransfer.files);
  };
  return html`<div>
    <div
      class=${over ? "drop over" : "drop"}
      onDragOver=${(event) => (event.preventDefault(), setOver(true))}
      onDragLeave=${() => setOver(false)}
      onDrop=${drop}
    >
      <p><strong>Drop ${name ? "a file" : "files"} here</strong>, or</p>
      <input
        ref=${picker}
        type="file"
        class="hidden-input"
        tabindex="-1"
        aria-label="Choose files"
        multiple=${!name}
        onChange=${(event) => (add(event.target.files), (event.target.value = ""))}
      />
      <button type="button" class=${files.length ? "" : "primary"} onClick=${() => picker.current.click()}>Choose ${name ? "a file" : "files"}</button>
      <p class="hint quiet small">Tables: CSV, Excel, Parquet, Arrow, JSON or JSON Lines, also as .gz or .zip. Images or videos: a .zip with a folder for each class, or with a metadata.csv. Arrays: .npz or .npy</p>
    </div>
    ${files.length > 0 &&
    html`<form class="sheet" onSubmit=${start}>
      <ul class="plain uploads">
        ${files.map(
          (each) => html`<${Upload} key=${each.id} upload=${each} fixed=${name !== null} change=${change} remove=${remove} />`,
        )}
      </ul>
      ${waiting.length > 0 &&
      html`<div class="actions">
        <button type="submit" class="primary" disabled=${ready.length === 0}>
          ${waiting.length === 1 ? "Upload" : `Upload ${waiting.length} files`}
        </button>
      </div>`}
    </form>`}
  </div>`;
}

function Upload({ upload: { id, file, name, state, share, error, dataset, isNew, cancel, reading }, fixed, change, remove }) {
  const before = useExisting(name, state);
  if (state === "done") {
    return html`<li role="status">
      <a href=${link(["data", dataset.name])}>${dataset.name}</a>
      ${isNew
        ? ` is uploaded: version ${dataset.version}, ${count(dataset.rows)} rows, ${dataset.columns.length} columns.`
        : ` has this very content already: it stays at version ${dataset.version}.`}
      ${" "}<a href=${link(["train"], { dataset: dataset.name })}>Train with it</a>
    </li>`;
  }
  if (state === "sending") {
    const what = share < 1 ? `${Math.round(share * 100)} % of ${bytes(file.size)} sent` : "Sent. The service reads it …";
    return html`<li>
      <p class="row"><strong>${file.name}</strong><span class="quiet small" role="status">${what}</span></p>
      <progress max="1" value=${share < 1 ? share : undefined} aria-label=${`Upload of ${file.name}`}></progress>
      <div class="actions"><button type="button" onClick=${cancel}>Cancel</button></div>
    </li>`;
  }
  const wrong = isName(name) ? null : NAME_HINT;
  const hint = before ? `${name} exists: this file becomes its version ${before.version + 1}.` : "A new data set.";
  return html`<li>
    <div class="row spread">
      <span><strong>${file.name}</strong> <span class="quiet small">${bytes(file.size)}</span></span>
      <button type="button" aria-label=${`Leave out ${file.name}`} onClick=${() => remove(id)}>Leave out</button>
    </div>
    ${!fixed &&
    html`<${Field} label="Name of the data set" hint=${wrong ? null : hint} error=${wrong}>
      ${(about) =>
        html`<input ...${about} value=${name} autocomplete="off" spellcheck=${false} onInput=${(event) => change(id, { name: event.target.value })} />`}
    <//>`}
    <${Failure} error=${error} />
    ${state === "failed" && error?.status === 422 && html`<${Reading} reading=${reading} set=${(next) => change(id, { reading: next })} />`}
  </li>`;
}

const READING = [
  ["separator", "Separator", "Between two cells; “tab” for a tab"],
  ["decimal", "Decimal sign", ". or ,"],
  ["encoding", "Encoding", "Such as windows-1252"],
  ["skip_lines", "Lines above the column names", "Such as 3"],
];

/** Where the service could not find out how a file is read, its owner can tell. */
function Reading({ reading = {}, set }) {
  return html`<p class="quiet small">Nothing was stored. Correct the file, or say how it is to be read, and upload it again.</p>
    <div class="form-grid">
      ${READING.map(
        ([name, label, hint]) => html`<${Field} label=${label} hint=${hint}>
          ${(about) => html`<input ...${about} value=${reading[name] ?? ""} autocomplete="off" onInput=${(event) => set({ ...reading, [name]: event.target.value })} />`}
        <//>`,
      )}
    </div>`;
}

/** The data set that has this name already, or null. */
function useExisting(name, state) {
  const [found, setFound] = useState(null);
  useEffect(() => {
    setFound(null);
    if (!isName(name) || state === "sending" || state === "done") return;
    const abort = new AbortController();
    const timer = setTimeout(() => existing(name, abort.signal).then(setFound, () => {}), 150);
    return () => (clearTimeout(timer), abort.abort());
  }, [name, state]);
  return found;
}
