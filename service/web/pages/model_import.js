// A bundle from another service, imported as the next version of a model: sent in pieces, so that its progress can be told.
import { html, useRef, useState } from "../vendor/preact.js";
import { link } from "../core/address.js";
import { call, request } from "../core/api.js";
import { useChange } from "../core/change.js";
import { bytes, percent } from "../core/format.js";
import { Field } from "../parts/field.js";
import { Failure } from "../parts/states.js";

const PIECE = 4 * 2 ** 20; // bytes

export function ModelImport({ onClose, onImported }) {
  const [file, setFile] = useState(null);
  const [name, setName] = useState("");
  const [over, setOver] = useState(false);
  const [sent, setSent] = useState(0);
  const [version, setVersion] = useState(null);
  const picker = useRef(null);
  const change = useChange(
    () => importBundle(name, file, setSent),
    (published) => {
      setVersion(published);
      setFile(null);
      onImported();
    },
  );
  const take = (files) => {
    if (files.length === 0) return;
    setFile(files[0]);
    setName(nameOf(files[0].name));
    setVersion(null);
    setSent(0);
    change.reset();
  };
  const drop = (event) => {
    event.preventDefault();
    setOver(false);
    take(event.dataTransfer.files);
  };
  const start = (event) => {
    event.preventDefault();
    change.run();
  };
  return html`<section class="sheet" aria-label="Import a bundle">
    <div class="heading">
      <h2>Import a bundle</h2>
      <button type="button" class="icon" onClick=${onClose}>Close</button>
    </div>
    <p class="quiet">
      A bundle is one file with everything of a version. Get one from another service: there it is under Downloads of a version.
    </p>
    <div
      class=${over ? "drop over" : "drop"}
      onDragOver=${(event) => (event.preventDefault(), setOver(true))}
      onDragLeave=${() => setOver(false)}
      onDrop=${drop}
    >
      <p>${file ? html`<strong>${file.name}</strong>, ${bytes(file.size)}` : html`<strong>Drop a bundle here</strong> (.zip), or`}</p>
      <input ref=${picker} type="file" accept=".zip,application/zip" hidden aria-label="Choose a bundle" onChange=${(event) => (take(event.target.files), (event.target.value = ""))} />
      <button type="button" disabled=${change.busy} onClick=${() => picker.current.click()}>Choose ${file ? "another file" : "a file"}</button>
    </div>
    ${file &&
    html`<form onSubmit=${start}>
      <${Field} label="Name of the model" hint="If there is a model of this name, the bundle becomes its next version.">
        ${(about) => html`<input ...${about} required value=${name} spellcheck=${false} onInput=${(event) => setName(event.target.value)} />`}
      <//>
      ${change.busy &&
      html`<p role="status" class="small quiet">${sent < file.size ? `${percent(sent / file.size)} sent` : "Sent. The service checks the bundle …"}</p>
        <progress max=${file.size} value=${sent < file.size ? sent : undefined} aria-label="Upload of the bundle"></progress>`}
      <div class="actions"><button type="submit" class="primary" disabled=${change.busy || !name}>Import</button></div>
    </form>`}
    <${Failure} error=${change.error} />
    ${change.error?.code === "invalid_bundle" &&
    html`<p class="quiet small">Nothing was stored. Where signatures are required, sign the bundle with a key that this service trusts: modelwright sign.</p>`}
    ${version &&
    html`<p role="status">It is <a href=${link(["models", version.name, version.version])}>${version.name}, version ${version.version}</a>${version.isNew ? "." : ", which was here already: the contents are the same."}</p>`}
  </section>`;
}

/** Sends the file in pieces, and imports what was sent. `onSent` gets the number of bytes so far. */
async function importBundle(name, file, onSent) {
  onSent(0);
  const upload = await call("v1/uploads", { method: "POST", headers: { "Upload-Length": String(file.size) } });
  try {
    for (let offset = 0; offset < file.size; offset += PIECE) {
      const headers = { "Content-Type": "application/offset+octet-stream", "Upload-Offset": String(offset) };
      await request(`v1/uploads/${upload.id}`, { method: "PATCH", headers, body: file.slice(offset, offset + PIECE) });
      onSent(Math.min(file.size, offset + PIECE));
    }
    const path = `v1/models/${encodeURIComponent(name)}/versions`;
    const response = await request(path, { method: "POST", body: { upload: upload.id }, headers: { Accept: "application/json" } });
    return { ...(await response.json()), isNew: response.status === 201 };
  } catch (error) {
    if (error.code !== "invalid_bundle") request(`v1/uploads/${upload.id}`, { method: "DELETE" }).catch(() => {}); // it would wait a day
    throw error;
  }
}

/** "houses-3.zip" is a version of houses. */
function nameOf(file) {
  return file.replace(/\.zip$/i, "").replace(/-\d+$/, "").replace(/ ?\(\d+\)$/, "").toLowerCase().replace(/[^a-z0-9._-]+/g, "-");
}
