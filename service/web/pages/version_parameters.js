// The parameters of a version: the list with statistics, and one tensor to look into.
import { html, useState } from "../vendor/preact.js";
import { go, link } from "../core/address.js";
import { count, number } from "../core/format.js";
import { useResource } from "../core/resource.js";
import { Field } from "../parts/field.js";
import { Empty, Ready } from "../parts/states.js";
import { shapeOf, TensorView } from "./tensor_view.js";

const AT_ONCE = 50;

export function VersionParameters({ name, manifest, path, query }) {
  const parameters = useResource(`${path}/parameters`);
  const address = ["models", name, manifest.version];
  return html`<${Ready} of=${parameters} what="Reading the parameters">
    ${(of) => {
      if (of.parameters.length === 0) return html`<${Empty} title="This model has no parameters" />`;
      const chosen = of.parameters.find((each) => each.name === query.tensor) ?? of.parameters[0];
      return html`<section class="sheet">
          <dl class="figures">
            <div><dt>Parameters</dt><dd>${count(of.total)}</dd></div>
            <div><dt>Trainable</dt><dd>${count(of.trainable)}</dd></div>
            <div><dt>Tensors</dt><dd>${count(of.parameters.length)}</dd></div>
          </dl>
        </section>
        <section class="sheet">
          <div class="heading">
            <h2><code>${chosen.name}</code> <span class="quiet small">${shapeOf(chosen)}, ${chosen.dtype}</span></h2>
            <label class="row tight">Tensor
              <select value=${chosen.name} onChange=${(event) => go(address, { tab: "parameters", tensor: event.target.value }, { replace: true })}>
                ${of.parameters.slice(0, 500).map((each) => html`<option value=${each.name}>${each.name}</option>`)}
                ${of.parameters.indexOf(chosen) >= 500 && html`<option value=${chosen.name}>${chosen.name}</option>`}
              </select>
            </label>
          </div>
          <${TensorView} key=${chosen.name} path=${`${path}/state_dict`} tensor=${chosen} />
        </section>
        <section class="sheet"><h2>All parameters</h2><${List} parameters=${of.parameters} address=${address} chosen=${chosen.name} /></section>`;
    }}
  <//>`;
}

function List({ parameters, address, chosen }) {
  const [find, setFind] = useState("");
  const [shown, setShown] = useState(AT_ONCE);
  const matching = find ? parameters.filter((each) => each.name.includes(find)) : parameters;
  return html`${parameters.length > AT_ONCE &&
    html`<${Field} label="Find by name">
      ${(about) => html`<input ...${about} type="search" class="find" value=${find} onInput=${(event) => setFind(event.target.value)} />`}
    <//>`}
    <div class="wide" tabindex="0" role="region" aria-label="All parameters">
      <table>
        <thead>
          <tr>
            <th scope="col">Tensor</th><th scope="col">Shape</th><th scope="col">Type</th>
            <th scope="col" class="number">Mean</th><th scope="col" class="number">Deviation</th><th scope="col" class="number">Least</th><th scope="col" class="number">Largest</th><th scope="col">Trained</th>
          </tr>
        </thead>
        <tbody>
          ${matching.slice(0, shown).map(
            (each) => html`<tr key=${each.name}>
              <th scope="row" class="name"><a href=${link(address, { tab: "parameters", tensor: each.name })} aria-current=${each.name === chosen ? "true" : undefined}><code>${each.name}</code></a></th>
              <td class="nowrap">${shapeOf(each)}</td>
              <td>${each.dtype}</td>
              ${["mean", "std", "min", "max"].map((of) => html`<td class="number">${number(each[of])}</td>`)}
              <td>${each.requires_grad ? "yes" : "no"}</td>
            </tr>`,
          )}
        </tbody>
      </table>
    </div>
    ${matching.length > shown && html`<p class="more"><button type="button" onClick=${() => setShown(shown + AT_ONCE)}>Show more</button></p>`}
    ${matching.length === 0 && html`<p class="quiet" role="status">No name has “${find}” in it.</p>`}`;
}
