// Dialogs of the page: the browser's own <dialog> keeps the focus inside and closes by Escape.
import { html, useEffect, useId, useRef } from "../vendor/preact.js";

/** A dialog that is open while it is drawn. */
export function Dialog({ title, onClose, children }) {
  const element = useRef(null);
  const gone = useRef(false);
  const id = useId();
  useEffect(() => {
    const shown = element.current;
    shown.showModal();
    return () => {
      gone.current = true;
      shown.close(); // so that the focus goes back to where it was
    };
  }, []);
  return html`<dialog ref=${element} aria-labelledby=${id} onClose=${() => gone.current || onClose()}>
    <h2 id=${id}>${title}</h2>
    ${children}
  </dialog>`;
}

/** Asks before something is changed. `onConfirm` may return a promise; the dialog stays open, and shows the error, if it fails. */
export function Confirm({ title, children, action = "Confirm", danger = false, onConfirm, onClose, error, busy }) {
  return html`<${Dialog} title=${title} onClose=${onClose}>
    ${children}
    ${error && html`<p class="failure" role="alert">${error.message}</p>`}
    <div class="actions">
      <button type="button" onClick=${onClose}>Cancel</button>
      <button type="button" class=${danger ? "danger" : "primary"} disabled=${busy} onClick=${onConfirm}>${action}</button>
    </div>
  <//>`;
}
