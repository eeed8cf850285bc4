// A chooser of one file, which shows the picture that was chosen. It is drawn on a canvas: the page's policy has no blob: images.
import { html, useEffect, useRef, useState } from "../vendor/preact.js";
import { bytes } from "../core/format.js";
import { draw } from "./thumbnail.js";

const MOST = 192; // pixels of the picture's longer side

/** `about`: the attributes of the input, from Field; `set` gets the File, or "" if there is none; `name`: of the input. */
export function PictureChoice({ about, accept, file, set, name }) {
  const canvas = useRef(null);
  const [drawn, setDrawn] = useState(false);
  useEffect(() => {
    let gone = false;
    setDrawn(false);
    if (!file) return;
    createImageBitmap(file).then(
      (bitmap) => gone || (draw(bitmap, canvas.current, MOST), setDrawn(true)),
      () => {}, // a video, or a format that only the service reads
    );
    return () => (gone = true);
  }, [file]);
  const drop = (event) => {
    event.preventDefault();
    if (event.dataTransfer.files.length) set(event.dataTransfer.files[0]);
  };
  return html`<div class="choice" onDragOver=${(event) => event.preventDefault()} onDrop=${drop}>
    <input ...${about} type="file" accept=${accept} onChange=${(event) => set(event.target.files[0] ?? "")} />
    <canvas ref=${canvas} role="img" aria-label=${`The picture chosen for ${name}`} hidden=${!drawn}></canvas>
    ${file && html`<p class="quiet small" role="status">${file.name}, ${bytes(file.size)}${drawn ? "" : ": no preview"}</p>`}
  </div>`;
}
