// The columns of a data set: types that a click corrects, missing values, distributions.
import { html, useState } from "../vendor/preact.js";
import { call } from "../core/api.js";
import { barsOf } from "../core/distribution.js";
import { count, number, percent } from "../core/format.js";
import { toldOf } from "../core/statistics.js";
import { Bars } from "../parts/bars.js";
import { Failure } from "../parts/states.js";

const TYPES = ["number", "category", "boolean", "datetime"];
const SINGLE = [...TYPES, "text"]; // types that a column of a table can be read as
const AT_ONCE = 48; // cards

export function Columns({ dataset, rows, editable, path, changed }) {
  const [types, setTypes] = useState({}); // corrections that are not saved yet
  const [state, setState] = useState({ busy: false, error: null });
  const [shown, setShown] = useState(AT_ONCE);
  const [wanted, setWanted] = useState("");
  const columns = dataset.columns.filter((each) => each.name.toLowerCase().includes(wanted.toLowerCase()));
  const correct = (column, type) => {
    const { [column.name]: _, ...others } = types;
    setTypes(type === column.type ? others : { ...others, [column.name]: type });
  };
  const save = async () => {
    setState({ busy: true, error: null });
    try {
      await call(path, { method: "PATCH", body: { types } });
      setState({ busy: false, error: null });
      setTypes({});
      changed();
    } catch (error) {
      setState({ busy: false, error });
    }
  };
  const corrections = Object.keys(types).length;
  return html`<section class="sheet">
    <div class="heading">
      <h2>Columns</h2>
      ${dataset.columns.length > 12 &&
      html`<label class="row small">Find <input type="search" value=${wanted} onInput=${(event) => setWanted(event.target.value)} /></label>`}
    </div>
    <${Failure} error=${state.error} />
    ${corrections > 0 &&
    html`<div class="warning row spread corrections" role="status">
      <span>${corrections === 1 ? "1 type is" : `${corrections} types are`} corrected. The file is read anew, as version ${dataset.version + 1}.</span>
      <span class="row">
        <button type="button" disabled=${state.busy} onClick=${() => setTypes({})}>Undo</button>
        <button type="button" class="primary" disabled=${state.busy} onClick=${save}>${state.busy ? "Reading …" : "Save the types"}</button>
      </span>
    </div>`}
    <div class="cards">
      ${columns.slice(0, shown).map(
        (each) => html`<${Card}
          key=${each.name}
          column=${each}
          type=${types[each.name] ?? each.type}
          all=${dataset.rows}
          rows=${rows}
          editable=${editable}
          correct=${correct}
        />`,
      )}
    </div>
    ${columns.length === 0 && html`<p class="quiet">No column has “${wanted}” in its name.</p>`}
    ${columns.length > shown &&
    html`<p class="more"><button type="button" onClick=${() => setShown(shown + AT_ONCE)}>Show more of the ${count(columns.length)} columns</button></p>`}
  </section>`;
}

function Card({ column, type, all, rows, editable, correct }) {
  const choices = SINGLE.includes(column.type) ? SINGLE : [column.type];
  const told = toldOf(column);
  return html`<article class=${type === column.type ? "card" : "card corrected"}>
    <div class="row spread">
      <h3 title=${column.name}>${column.name || "(no name)"}</h3>
      ${editable && choices.length > 1
        ? html`<select aria-label=${`Type of ${column.name}`} value=${type} onChange=${(event) => correct(column, event.target.value)}>
            ${choices.map((each) => html`<option value=${each}>${each}</option>`)}
          </select>`
        : html`<span class="mark idle">${column.type}</span>`}
    </div>
    <p class="quiet small">${about(column, all)}</p>
    ${told.length > 0 && html`<p>${told.join(" · ")}</p>`}
    ${!told.length && html`<${Bars} of=${barsOf(column, rows)} label=${column.name} />`}
    <p class="quiet small reason">${column.reason}${column.feature ? "" : " · not used for training unless you name it"}</p>
  </article>`;
}

function about({ type, missing, distinct, statistics }, all) {
  const said = [missing === 0 ? "none missing" : `${count(missing)} missing (${percent(missing / all, missing / all < 0.01 ? 1 : 0)})`];
  if (distinct !== null || !["image", "video", "tensor"].includes(type)) {
    said.push(distinct === null ? "more than 1,000 values" : `${count(distinct)} ${distinct === 1 ? "value" : "values"}`);
  }
  if (statistics.mean !== undefined) said.push(`mean ${number(statistics.mean)}`);
  return said.join(" · ");
}
