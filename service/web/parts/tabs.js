// Tabs, by the pattern of the ARIA Authoring Practices: arrow keys move between them.
import { html, useId } from "../vendor/preact.js";

/** `tabs`: [{ id, label }]; the panel of the chosen one is the child. */
export function Tabs({ label, tabs, chosen, onChoose, children }) {
  const id = useId();
  const move = (event) => {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (!step) return;
    const at = (tabs.findIndex((tab) => tab.id === chosen) + step + tabs.length) % tabs.length;
    onChoose(tabs[at].id);
    event.currentTarget.children[at].focus();
  };
  return html`<div role="tablist" class="tabs" aria-label=${label} onKeyDown=${move}>
      ${tabs.map(
        (tab) => html`<button
          type="button"
          role="tab"
          id=${`${id}-${tab.id}`}
          aria-selected=${tab.id === chosen ? "true" : "false"}
          aria-controls=${`${id}-panel`}
          tabindex=${tab.id === chosen ? 0 : -1}
          onClick=${() => onChoose(tab.id)}
        >
          ${tab.label}
        </button>`,
      )}
    </div>
    <div role="tabpanel" id=${`${id}-panel`} aria-labelledby=${`${id}-${chosen}`} tabindex="0">${children}</div>`;
}
