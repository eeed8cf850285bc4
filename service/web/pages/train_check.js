// What the service says of a spec: errors, or what will be trained; and the button that trains it.
import { html } from "../vendor/preact.js";
import { count } from "../core/format.js";
import { Failure } from "../parts/states.js";

export function Check({ check, broken, train, sent }) {
  const { plan, error, checking } = check;
  const shown = plan ?? (checking ? check.last : null);
  const wrong = error?.errors ?? [];
  return html`<section class="sheet check">
    <${State} broken=${broken} plan=${plan} checking=${checking} wrong=${wrong.length} error=${error} />
    ${wrong.length > 0 &&
    html`<ul class="notes">
      ${wrong.map(
        (each) => html`<li>
          <button type="button" class="link" onClick=${() => show(each.pointer)}>${each.pointer || "the spec"}</button> ${each.message}
        </li>`,
      )}
    </ul>`}
    ${error && wrong.length === 0 && html`<${Failure} error=${error} />`}
    ${shown && !broken && html`<${Plan} plan=${shown} />`}
    <${Failure} error=${sent.error} />
    <div class="actions">
      <button type="button" class="primary" disabled=${plan === null || sent.busy || broken !== null} onClick=${train}>${sent.busy ? "Sending …" : "Train"}</button>
    </div>
  </section>`;
}

function State({ broken, plan, checking, wrong, error }) {
  const [mark, text] = broken
    ? ["bad", "The JSON is not valid"]
    : checking
      ? ["", "Checking …"]
      : plan
        ? ["good", "✓ Ready to train"]
        : wrong
          ? ["bad", wrong === 1 ? "1 thing to correct" : `${wrong} things to correct`]
          : error
            ? ["bad", "Not checked"]
            : ["", ""];
  return html`<p class=${`state ${mark}`} role="status">${text}</p>`;
}

function Plan({ plan }) {
  const { train, validation, calibration, test } = plan.rows;
  return html`<dl class="figures">
      <div><dt>Parameters</dt><dd>${count(plan.parameters)}</dd></div>
      <div><dt>Rows to train</dt><dd>${count(train)}</dd></div>
      <div><dt>to validate</dt><dd>${count(validation)}</dd></div>
      ${calibration > 0 && html`<div><dt>for intervals</dt><dd>${count(calibration)}</dd></div>`}
      <div><dt>to test</dt><dd>${count(test)}</dd></div>
    </dl>
    ${plan.warnings.map((each) => html`<p class="warning">${typeof each === "string" ? each : each.message}</p>`)}`;
}

/** Moves to the field that a pointer is about, or to the nearest one around it. */
function show(pointer) {
  for (let at = pointer; at; at = at.slice(0, at.lastIndexOf("/"))) {
    const found = [...document.querySelectorAll("[data-pointer]")].find((each) => each.dataset.pointer === at || each.dataset.pointer.startsWith(`${at}/`));
    if (!found) continue;
    for (let around = found.closest("details"); around; around = around.parentElement.closest("details")) around.open = true;
    found.focus();
    found.scrollIntoView({ block: "center" });
    return;
  }
  document.querySelector("aside textarea").focus();
}
