// Whether a prediction is asked for with its interval or its set, and at which level.
import { html } from "../vendor/preact.js";
import { percent } from "../core/format.js";
import { Field } from "../parts/field.js";

const LEVELS = [0.8, 0.9, 0.95, 0.99];

/** `level`: null if none is asked for. `choose`: is given the other one. */
export function IntervalChoice({ conformal, level, choose }) {
  const classes = conformal.method === "least_ambiguous_set";
  const enough = LEVELS.filter((each) => each <= conformal.rows / (conformal.rows + 1));
  if (enough.length === 0) return null;
  const hint = `So often is the truth in the ${classes ? "set" : "interval"}, for rows like those of the calibration part.`;
  return html`<${Field} label=${classes ? "Set of classes" : "Interval"} hint=${hint}>
    ${(about) => html`<select ...${about} value=${level ?? ""} onChange=${(event) => choose(event.target.value === "" ? null : Number(event.target.value))}>
      <option value="">none</option>
      ${enough.map((each) => html`<option value=${each}>${percent(each, 0)}</option>`)}
    </select>`}
  <//>`;
}
