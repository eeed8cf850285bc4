// The fields of a spec that are about columns: targets and features, chosen from the data set's columns.
import { html, useContext } from "../vendor/preact.js";
import { Field } from "../parts/field.js";
import { member } from "../core/pointer.js";
import { FeatureOptions, hasOptions } from "./train_feature_options.js";
import { Form } from "./train_fields.js";

const TYPES = ["number", "category", "boolean", "datetime", "text"]; // that a column of a table can be read as
const NO_TARGET = ["image", "video", "tensor", "text"];
const MOST = 300; // columns in a table of choices

/** One column to learn, or several. */
export function Target({ value, set, pointer }) {
  const { columns, errors } = useContext(Form);
  const chosen = Array.isArray(value) ? value : [value ?? ""];
  const put = (next) => set(next.length === 1 ? next[0] : next);
  const change = (index, name) => put(chosen.map((each, at) => (at === index ? name : each)));
  const offered = columns.filter((each) => !NO_TARGET.includes(each.type) || chosen.includes(each.name)).slice(0, MOST);
  const left = offered.filter((each) => !chosen.includes(each.name));
  const error = errors[pointer] ?? errors[`${pointer}/0`];
  return html`<div class="across">
    ${chosen.map(
      (each, index) => html`<${Field} key=${index} label=${index === 0 ? "Target" : `Target ${index + 1}`} hint=${index === 0 ? "The column to learn" : undefined} error=${index === 0 ? error : errors[`${pointer}/${index}`]}>
        ${(about) =>
          html`<select ...${about} data-pointer=${pointer} value=${each} onChange=${(event) => change(index, event.target.value)}>
            ${!offered.some((column) => column.name === each) && html`<option value=${each}>${each || "choose one"}</option>`}
            ${offered.map((column) => html`<option value=${column.name}>${column.name} (${column.type})</option>`)}
          </select>`}
      <//>`,
    )}
    <div class="row">
      ${left.length > 0 && html`<button type="button" onClick=${() => put([...chosen, left[left.length - 1].name])}>Add a target</button>`}
      ${chosen.length > 1 && html`<button type="button" onClick=${() => put(chosen.slice(0, -1))}>Remove the last</button>`}
    </div>
  </div>`;
}

/** The columns to learn from, with their types; all but the target unless chosen. */
export function Features({ value, set, pointer, target }) {
  const { columns, errors } = useContext(Form);
  const targets = Array.isArray(target) ? target : [target];
  const possible = columns.filter((each) => !targets.includes(each.name));
  if (possible.length === 0 || possible.length > MOST) return html`<p class="quiet small across">The features are given in the JSON.</p>`;
  const names = Array.isArray(value) ? value : value ? Object.keys(value) : possible.filter((each) => each.feature).map((each) => each.name);
  const featureOf = (column) => (value && !Array.isArray(value) && Object.hasOwn(value, column.name) ? value[column.name] : { type: column.type });
  const typeOf = (column) => featureOf(column).type;
  const put = (used, features) => {
    const inOrder = possible.filter((each) => used.includes(each.name));
    const own = inOrder.some((each) => features(each).type !== each.type || Object.keys(features(each)).length > 1);
    const usual = inOrder.length === possible.filter((each) => each.feature).length && inOrder.every((each) => each.feature);
    if (own) set(Object.fromEntries(inOrder.map((each) => [each.name, features(each)])));
    else set(usual ? undefined : inOrder.map((each) => each.name));
  };
  const use = (column, used) => put(used ? [...names, column.name] : names.filter((each) => each !== column.name), featureOf);
  const change = (column, feature) => put(names, (each) => (each === column ? feature : featureOf(each)));
  const shaped = possible.filter((each) => names.includes(each.name) && hasOptions(typeOf(each)));
  const wrong = Object.entries(errors).filter(([each]) => each === pointer || each.startsWith(`${pointer}/`));
  return html`<details class="across" open=${wrong.length > 0 || shaped.length > 0}>
    <summary data-pointer=${pointer}>Features: ${names.length} of ${possible.length} columns</summary>
    ${wrong.map(([, message]) => html`<p class="failure">${message}</p>`)}
    <div class="wide" tabindex="0" role="region" aria-label="Features">
      <table>
        <thead><tr><th scope="col">Learn from</th><th scope="col">Read as</th></tr></thead>
        <tbody>
          ${possible.map(
            (column) => html`<tr key=${column.name}>
              <td class="name">
                <label><input type="checkbox" checked=${names.includes(column.name)} onChange=${(event) => use(column, event.target.checked)} /> ${column.name}</label>
              </td>
              <td>
                <select aria-label=${`Type of ${column.name}`} value=${typeOf(column)} disabled=${!names.includes(column.name)} onChange=${(event) => change(column, { type: event.target.value })}>
                  ${(TYPES.includes(column.type) ? TYPES : [column.type]).map((each) => html`<option value=${each}>${each}</option>`)}
                </select>
              </td>
            </tr>`,
          )}
        </tbody>
      </table>
    </div>
    ${shaped.map((each) => html`<${FeatureOptions} key=${each.name} name=${each.name} value=${featureOf(each)} set=${(next) => change(each, next)} pointer=${member(pointer, each.name)} />`)}
  </details>`;
}
