// Plots that the service draws. They are fetched with the key and drawn on a canvas: an <img> cannot send one.
import { html, useEffect, useRef, useState } from "../vendor/preact.js";
import { request } from "../core/api.js";
import { Failure, Loading } from "./states.js";

/** The plot `GET path` as PNG, on white. `label`: what it shows, in words; `missing`: shown where there is none (404). */
export function Plot({ path, label, missing = null }) {
  const canvas = useRef(null);
  const [state, setState] = useState({ loading: true, error: null });
  useEffect(() => {
    const abort = new AbortController();
    setState({ loading: true, error: null });
    draw(path, canvas.current, abort.signal).then(
      () => abort.signal.aborted || setState({ loading: false, error: null }),
      (error) => abort.signal.aborted || setState({ loading: false, error }),
    );
    return () => abort.abort();
  }, [path]);
  if (state.error?.status === 404) return missing;
  return html`<figure class="plot">
    <canvas ref=${canvas} role="img" aria-label=${label} hidden=${state.loading || state.error !== null}></canvas>
    ${state.loading && html`<${Loading} what="Drawing" />`}
    <${Failure} error=${state.error} />
  </figure>`;
}

async function draw(path, canvas, signal) {
  const response = await request(path, { headers: { Accept: "image/png" }, signal });
  const bitmap = await createImageBitmap(await response.blob());
  canvas.width = bitmap.width;
  canvas.height = bitmap.height;
  canvas.getContext("2d").drawImage(bitmap, 0, 0);
}
