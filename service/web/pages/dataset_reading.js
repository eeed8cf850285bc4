// How the file of a data set is read, and the form that corrects it.
import { html, useState } from "../vendor/preact.js";
import { call } from "../core/api.js";
import { Field } from "../parts/field.js";
import { Failure } from "../parts/states.js";

const SEPARATORS = { ",": "comma", ";": "semicolon", "\t": "tab", "|": "bar |", " ": "space" };

export function Reading({ dataset, editable, path, changed }) {
  const { reading } = dataset;
  if (reading === null) return html`<section class="sheet"><h2>How it is read</h2><p class="quiet">This version is from before that was recorded.</p></section>`;
  return html`<section class="sheet">
    <h2>How it is read</h2>
    <p>${sentence(reading, dataset.media_type)}</p>
    ${editable &&
    html`<details>
      <summary>Correct this</summary>
      <${ReadingForm} dataset=${dataset} path=${path} changed=${changed} />
    </details>`}
  </section>`;
}

function sentence({ separator, decimal, encoding, missing, skip_lines: skipped, sheet, compression, date_formats: dates }, type) {
  const said = [type.replace("text/", "").replace(/^application\/(vnd\.)?/, "")];
  if (compression) said.push(`compressed by ${compression}`);
  if (separator !== null) said.push(`separator ${SEPARATORS[separator] ?? separator}`, `decimal ${decimal === "," ? "comma" : "point"}`, encoding);
  if (sheet) said.push(`sheet “${sheet}”`);
  if (skipped) said.push(`${skipped} lines above the names are skipped`);
  said.push(missing.length ? `missing: empty cells, ${missing.map((each) => `“${each}”`).join(", ")}` : "missing: empty cells only");
  for (const [column, format] of Object.entries(dates)) said.push(`dates of ${column} as ${format}`);
  return said.join(" · ");
}

function ReadingForm({ dataset, path, changed }) {
  const { reading } = dataset;
  const first = {
    separator: reading.separator === "\t" ? "tab" : (reading.separator ?? ""),
    decimal: reading.decimal,
    encoding: reading.encoding,
    missing: reading.missing.join(", "),
    skip_lines: String(reading.skip_lines),
    sheet: reading.sheet ?? "",
    ...Object.fromEntries(dataset.columns.filter((each) => each.type === "datetime").map((each) => [`date ${each.name}`, reading.date_formats[each.name] ?? ""])),
  };
  const [values, setValues] = useState(first);
  const [state, setState] = useState({ busy: false, error: null, same: false });
  const edited = Object.keys(first).filter((each) => values[each] !== first[each]);
  const read = async (changes) => {
    setState({ busy: true, error: null, same: false });
    try {
      const made = await call(path, { method: "PATCH", body: { reading: changes } });
      setState({ busy: false, error: null, same: made.version === dataset.version });
      if (made.version !== dataset.version) changed();
    } catch (error) {
      setState({ busy: false, error, same: false });
    }
  };
  const submit = (event) => {
    event.preventDefault();
    read(changesOf(values, edited));
  };
  const detect = () => read(Object.fromEntries(["separator", "decimal", "encoding", "missing", "skip_lines", "sheet", "date_formats"].map((each) => [each, null])));
  const input = (name, label, hint, more = {}) => html`<${Field} label=${label} hint=${hint} error=${errorAt(state.error, name)}>
    ${(about) => html`<input ...${about} ...${more} value=${values[name]} autocomplete="off" onInput=${(event) => setValues({ ...values, [name]: event.target.value })} />`}
  <//>`;
  const text = reading.separator !== null;
  return html`<form onSubmit=${submit}>
    <${Failure} error=${state.error} />
    <div class="form-grid">
      ${text && input("separator", "Separator", "The character between two cells; “tab” for a tab.")}
      ${text &&
      html`<${Field} label="Decimal sign" error=${errorAt(state.error, "decimal")}>
        ${(about) =>
          html`<select ...${about} value=${values.decimal} onChange=${(event) => setValues({ ...values, decimal: event.target.value })}>
            <option value=".">point, as in 1.5</option>
            <option value=",">comma, as in 1,5</option>
          </select>`}
      <//>`}
      ${text && input("encoding", "Encoding", "Such as utf-8, windows-1252 or utf-16.")}
      ${input("missing", "Words for a missing value", "Besides empty cells, with commas between them.")}
      ${input("skip_lines", "Lines above the column names", null, { inputmode: "numeric" })}
      ${dataset.media_type.includes("sheet") && input("sheet", "Sheet", "Of the workbook; the first one if empty.")}
      ${Object.keys(first)
        .filter((each) => each.startsWith("date "))
        .map((each) => input(each, `Form of the dates in ${each.slice(5)}`, "Such as %d.%m.%Y; empty: found by the service."))}
    </div>
    <div class="actions">
      ${state.same && html`<span class="quiet" role="status">Nothing changes: it is read like this already.</span>`}
      <button type="button" disabled=${state.busy} onClick=${detect}>Let the service find out</button>
      <button type="submit" class="primary" disabled=${state.busy || edited.length === 0}>${state.busy ? "Reading …" : `Read it anew, as version ${dataset.version + 1}`}</button>
    </div>
  </form>`;
}

function changesOf(values, edited) {
  const changes = {};
  for (const name of edited) {
    const value = values[name];
    if (name.startsWith("date ")) (changes.date_formats ??= {})[name.slice(5)] = value || null;
    else if (name === "missing") changes.missing = value.split(",").map((each) => each.trim()).filter(Boolean);
    else if (name === "skip_lines") changes.skip_lines = /^\d+$/.test(value.trim()) ? Number(value) : value || null;
    else changes[name] = value || null;
  }
  return changes;
}

function errorAt(error, name) {
  const pointer = name.startsWith("date ") ? `/reading/date_formats/${name.slice(5)}` : `/reading/${name}`;
  return error?.errors?.find((each) => each.pointer === pointer)?.message;
}
