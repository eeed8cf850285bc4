// One version of a model, under tabs.
import { html, useState } from "../vendor/preact.js";
import { go, link } from "../core/address.js";
import { ago, moment } from "../core/format.js";
import { useResource } from "../core/resource.js";
import { Ready } from "../parts/states.js";
import { Tabs } from "../parts/tabs.js";
import { PointAlias } from "./point_alias.js";
import { VersionDownloads } from "./version_downloads.js";
import { VersionInUse } from "./version_in_use.js";
import { VersionLineage } from "./version_lineage.js";
import { VersionOverview } from "./version_overview.js";
import { VersionParameters } from "./version_parameters.js";
import { VersionPlots } from "./version_plots.js";
import { VersionTry } from "./version_try.js";

const TABS = [
  { id: "overview", label: "Overview", Panel: VersionOverview },
  { id: "try", label: "Try it", Panel: VersionTry },
  { id: "plots", label: "Plots", Panel: VersionPlots },
  { id: "parameters", label: "Parameters", Panel: VersionParameters },
  { id: "use", label: "In use", Panel: VersionInUse },
  { id: "downloads", label: "Downloads", Panel: VersionDownloads },
  { id: "lineage", label: "Lineage", Panel: VersionLineage },
];

export function VersionPage({ name, version, query }) {
  const found = useResource(`v1/models/${encodeURIComponent(name)}/versions/${encodeURIComponent(version)}`);
  const [pointing, setPointing] = useState(false);
  const tab = TABS.find((each) => each.id === query.tab) ?? TABS[0];
  const choose = (id) => go(["models", name, version], id === TABS[0].id ? {} : { tab: id });
  return html`<p class="path"><a href=${link(["models"])}>Models</a> / <a href=${link(["models", name])}>${name}</a> / version ${version}</p>
    <${Ready} of=${found} what="Loading the version">
      ${(manifest) => html`<div class="heading">
          <div>
            <h1>${name}, version ${manifest.version}</h1>
            <p class="row tight quiet small">
              ${manifest.aliases.map((each) => html`<span class="mark good">${each}</span>`)}
              <span title=${moment(manifest.created_at)}>published ${ago(manifest.created_at)}</span>
            </p>
          </div>
          <div class="row">
            <a class="button" href=${link(["train"], { from: `${name}@${manifest.version}` })}>Train again …</a>
            <button type="button" onClick=${() => setPointing(true)}>Promote …</button>
          </div>
        </div>
        <${Tabs} label="What to look at" tabs=${TABS} chosen=${tab.id} onChoose=${choose}>
          <${tab.Panel} name=${name} manifest=${manifest} query=${query} path=${`v1/models/${encodeURIComponent(name)}/versions/${manifest.version}`} />
        <//>
        ${pointing &&
        html`<${PointAlias} name=${name} alias="production" version=${manifest.version} onClose=${() => setPointing(false)} onMoved=${() => (setPointing(false), found.reload())} />`}`}
    <//>`;
}
