// What a page shows before there are data, when there are none, and when they cannot be had.
import { html } from "../vendor/preact.js";
import { Unreachable } from "../core/api.js";

export function Loading({ what = "Loading" }) {
  return html`<p class="quiet" role="status"><span class="spinner" aria-hidden="true"></span> ${what} …</p>`;
}

/** Nothing is there yet; the children say what to do about that. */
export function Empty({ title, children }) {
  return html`<div class="empty"><h3>${title}</h3>${children}</div>`;
}

/** An error, each of its `errors` with the field that it is about, and a button that tries again where `retry` is given. */
export function Failure({ error, retry }) {
  if (!error || error instanceof Unreachable) return null; // the banner of the page says so already
  return html`<div class="failure" role="alert">
    <p>${error.message}</p>
    ${error.errors?.length > 0 &&
    html`<ul>
      ${error.errors.map((each) => html`<li><code>${each.pointer || "/"}</code> ${each.message}</li>`)}
    </ul>`}
    ${retry && html`<button type="button" onClick=${retry}>Try again</button>`}
  </div>`;
}

/** The children once the resource has data; else its state. */
export function Ready({ of, what, children }) {
  if (of.data !== null) return html`<${Failure} error=${of.error} retry=${of.reload} />${children(of.data)}`;
  if (of.error) return html`<${Failure} error=${of.error} retry=${of.reload} />`;
  return html`<${Loading} what=${what} />`;
}

/** A button at the end of a list that has more items. */
export function More({ pages }) {
  if (!pages.more) return null;
  return html`<p class="more"><button type="button" disabled=${pages.loading} onClick=${pages.next}>Show more</button></p>`;
}
