// The files of a version that can be had: the bundle, exports for other software, the card, and what proves its origin.
import { html } from "../vendor/preact.js";
import { useChange } from "../core/change.js";
import { download } from "../core/download.js";
import { useResource } from "../core/resource.js";
import { Failure } from "../parts/states.js";

const EXPORTS = [
  { id: "safetensors", label: "safetensors", suffix: ".safetensors", about: "The values alone, for any software that reads safetensors." },
  { id: "state_dict", label: "state_dict", suffix: ".pt", about: "For torch.load(path, weights_only=True) and a module of your own." },
  { id: "torch_export", label: "torch.export", suffix: ".pt2", about: "The whole model with its preprocessing, for torch.export.load." },
  { id: "onnx", label: "ONNX", suffix: ".onnx", about: "The whole model with named, typed inputs, for ONNX Runtime in any language." },
  { id: "huggingface", label: "Hugging Face", suffix: ".huggingface.zip", about: "A repository for the Hugging Face Hub: weights, code, card." },
];

export function VersionDownloads({ name, manifest, path }) {
  const lineage = useResource(`${path}/lineage`);
  const file = `${name}-${manifest.version}`;
  const made = new Set(lineage.data?.exports.map((each) => each.name));
  return html`<section class="sheet">
      <h2>To another Modelwright</h2>
      <ul class="plain downloads">
        <${Item} label="Bundle" about="Everything of this version in one file. Another service imports it: Models, Import a bundle." path=${`${path}/bundle`} file=${`${file}.zip`} busy="Packing" />
      </ul>
    </section>
    <section class="sheet">
      <h2>To other software</h2>
      <p class="quiet small">Each export is compared with the model's own predictions before it is given out. The first time that takes 10 to 20 seconds, and longer on a busy machine.</p>
      <ul class="plain downloads">
        ${EXPORTS.map(
          (each) => html`<${Item} key=${each.id} label=${each.label} about=${each.about} ready=${made.has(each.id)} path=${`${path}/exports/${each.id}`} file=${file + each.suffix} busy="Exporting and comparing" onDone=${lineage.reload} />`,
        )}
      </ul>
    </section>
    <section class="sheet">
      <h2>To read and to prove</h2>
      <ul class="plain downloads">
        <${Item} label="Model card" about="Everything about this version as Markdown." path=${`${path}/card`} file=${`${file}.md`} headers=${{ Accept: "text/markdown" }} busy="Writing" />
        <${Item} label="Model card as a page" about="The same with its plots, in one HTML file." path=${`${path}/card.html`} file=${`${file}.html`} headers=${{ Accept: "text/html" }} busy="Writing and drawing" />
        <${Item} label="Bill of materials" about="CycloneDX 1.6: model, files, data, licence and the software that trained it." path=${`${path}/bom`} file=${`${file}.cdx.json`} headers=${{ Accept: "application/json" }} busy="Writing" />
        ${lineage.data?.signed === false
          ? html`<li><div><strong>Signature</strong><p class="quiet small">This version is not signed. An operator signs it with: modelwright sign ${name}@${manifest.version}</p></div></li>`
          : html`<${Item} label="Signature" about="OpenSSF model-signing, a Sigstore bundle: who vouches for these files." path=${`${path}/signature`} file=${`${file}.sig`} headers=${{ Accept: "application/json" }} busy="Reading" />`}
      </ul>
    </section>
    <${Failure} error=${lineage.error} />`;
}

function Item({ label, about, path, file, headers, ready, busy, onDone = () => {} }) {
  const change = useChange(() => download(path, file, { headers }), onDone);
  return html`<li>
    <div>
      <strong>${label}</strong> ${ready && html`<span class="mark good">ready</span>`}
      <p class="quiet small">${about}</p>
      <p role="status" class="small">${change.busy && html`<span class="spinner" aria-hidden="true"></span> ${busy} …`}</p>
      <${Failure} error=${change.error} />
    </div>
    <button type="button" disabled=${change.busy} onClick=${change.run}>Download<span class="unseen"> ${label}</span></button>
  </li>`;
}
