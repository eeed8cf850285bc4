// From data to a training job: choose data and target, then the spec as a form and as JSON.
import { html, useEffect, useState } from "../vendor/preact.js";
import { go, link } from "../core/address.js";
import { specSchema } from "../core/spec_schema.js";
import { useResource } from "../core/resource.js";
import { Empty, Failure, Loading, Ready } from "../parts/states.js";
import { Editor } from "./train_editor.js";
import { Start, TargetChoice } from "./train_start.js";

export default function Train({ query }) {
  const [state, setState] = useState({ schema: null, error: null });
  const [round, setRound] = useState(0);
  useEffect(() => {
    specSchema().then(
      (schema) => setState({ schema, error: null }),
      (error) => setState({ schema: null, error }),
    );
  }, [round]);
  const again = () => setRound(round + 1);
  return html`<div class="heading">
      <h1>Train</h1>
      ${Object.keys(query).length > 0 && html`<a href=${link(["train"])}>Choose other data</a>`}
    </div>
    ${state.error && html`<${Failure} error=${state.error} retry=${again} />`}
    ${!state.schema && !state.error && html`<${Loading} />`}
    ${state.schema && html`<${Chosen} key=${JSON.stringify(query)} schema=${state.schema} query=${query} />`}`;
}

function Chosen({ schema, query }) {
  if (query.job) return html`<${FromJob} schema=${schema} id=${query.job} />`;
  if (query.from) return html`<${FromVersion} schema=${schema} from=${query.from} />`;
  if (query.dataset) return html`<${FromData} schema=${schema} query=${query} />`;
  if (query.example) return html`<${Editor} schema=${schema} first=${schema.example} columns=${[]} />`;
  return html`<${Start} />`;
}

function FromData({ schema, query }) {
  const wanted = Number(query.version) || null;
  const versions = useResource(`v1/datasets/${encodeURIComponent(query.dataset)}/versions`, { query: { limit: 1, after: wanted && wanted + 1 } });
  if (versions.error?.status === 404) {
    return html`<${Empty} title="There is no data set of this name"><p><a href=${link(["data"])}>Upload a file</a>, or <a href=${link(["train"])}>choose another one</a>.</p><//>`;
  }
  return html`<${Ready} of=${versions}>
    ${({ data: [dataset] }) => {
      if (!dataset || dataset.error) return html`<p class="failure" role="alert">This version cannot be read. <a href=${link(["data", query.dataset])}>See the data set</a></p>`;
      const targets = query.target ? query.target.split("\n") : [];
      if (targets.length === 0) return html`<${TargetChoice} dataset=${dataset} choose=${(target) => go(["train"], { ...query, target })} />`;
      const data = { kind: "dataset", dataset: dataset.name, target: targets.length > 1 ? targets : targets[0] };
      if (wanted) data.version = wanted;
      return html`<${Editor} schema=${schema} first=${{ model_name: dataset.name, data }} columns=${dataset.columns} />`;
    }}
  <//>`;
}

/** The spec of a version, as it was resolved, to be trained anew. */
function FromVersion({ schema, from }) {
  const [name, version = "latest"] = from.split("@");
  const manifest = useResource(`v1/models/${encodeURIComponent(name)}/versions/${encodeURIComponent(version)}`);
  const dataset = manifest.data?.spec?.data?.dataset;
  const columns = useResource(dataset ? `v1/datasets/${encodeURIComponent(dataset)}/versions` : null, { query: { limit: 1 } });
  if (manifest.error?.status === 404) return html`<${Empty} title="There is no such version"><p><a href=${link(["models"])}>See the models</a></p><//>`;
  if (dataset && columns.loading && !columns.data) return html`<${Loading} />`;
  return html`<${Ready} of=${manifest}>
    ${({ spec, version: number, signature }) => html`<p class="quiet">From the spec of <a href=${link(["models", name, String(number)])}>${name} version ${number}</a>, every default written out.</p>
      ${dataset && !columns.data && html`<p class="warning">Its data set ${dataset} is not here any more: upload it again, or write other data into the JSON.</p>`}
      <${Editor} schema=${schema} first=${asWritten(name, spec, signature)} columns=${columns.data?.data[0]?.columns ?? []} weights=${`${name}@${number}`} />`}
  <//>`;
}

/** The spec of a job, as it was resolved, to be trained with changes. */
function FromJob({ schema, id }) {
  const job = useResource(`v1/training-jobs/${encodeURIComponent(id)}`);
  const dataset = job.data?.spec?.data?.dataset;
  const columns = useResource(dataset ? `v1/datasets/${encodeURIComponent(dataset)}/versions` : null, { query: { limit: 1 } });
  if (job.error?.status === 404) return html`<${Empty} title="There is no such job"><p><a href=${link(["jobs"])}>See the jobs</a></p><//>`;
  if (dataset && columns.loading && !columns.data) return html`<${Loading} />`;
  return html`<${Ready} of=${job}>
    ${({ spec }) => html`<p class="quiet">From the spec of <a href=${link(["jobs", id])}>a training of ${spec.model_name}</a>, every default written out.</p>
      <${Editor} schema=${schema} first=${without(spec)} columns=${columns.data?.data[0]?.columns ?? []} />`}
  <//>`;
}

/** A version's spec as its owner would write it. A manifest is sorted by name; the features are in the order of the model's inputs. */
function asWritten(name, spec, signature) {
  const { data, ...others } = without(spec);
  if (data.features && !Array.isArray(data.features)) {
    const order = signature.inputs.map((each) => each.name).filter((each) => each in data.features);
    data.features = Object.fromEntries(order.map((each) => [each, data.features[each]]));
  }
  return { model_name: name, data, ...others };
}

/** The spec without what is null: the form shows that as what it is, a default. */
function without(spec) {
  const keep = ([name, value]) => value !== null || name === "early_stopping";
  const clean = (value) => (value !== null && typeof value === "object" && !Array.isArray(value) ? Object.fromEntries(Object.entries(value).filter(keep).map(([name, each]) => [name, clean(each)])) : value);
  return clean(spec);
}
