// A small picture of a file of a data set. It is fetched with the key and drawn on a canvas: an <img> cannot send one.
import { html, useEffect, useRef, useState } from "../vendor/preact.js";
import { request } from "../core/api.js";

/** The picture `GET path` with this query; `label`: what it shows, in words. */
export function Thumbnail({ path, query, label }) {
  const canvas = useRef(null);
  const [failed, setFailed] = useState(false);
  const address = JSON.stringify(query);
  useEffect(() => {
    const abort = new AbortController();
    setFailed(false);
    drawn(path, query, canvas.current, abort.signal).catch(() => abort.signal.aborted || setFailed(true));
    return () => abort.abort();
  }, [path, address]);
  return html`<canvas class="thumbnail" ref=${canvas} role="img" aria-label=${failed ? `${label}: it cannot be shown` : label} width="96" height="96"></canvas>`;
}

async function drawn(path, query, canvas, signal) {
  const response = await request(path, { query, headers: { Accept: "image/*" }, signal });
  draw(await createImageBitmap(await response.blob()), canvas, 96);
}

/** Draws a picture on a canvas, no larger than `most` pixels a side. */
export function draw(bitmap, canvas, most) {
  const share = Math.min(1, most / Math.max(bitmap.width, bitmap.height));
  canvas.width = Math.max(1, Math.round(bitmap.width * share));
  canvas.height = Math.max(1, Math.round(bitmap.height * share));
  canvas.getContext("2d").drawImage(bitmap, 0, 0, canvas.width, canvas.height);
  bitmap.close();
}
