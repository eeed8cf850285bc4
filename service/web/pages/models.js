// Models: the list; one model with its versions and aliases; two versions side by side; one version.
import { html } from "../vendor/preact.js";
import { ModelCompare } from "./model_compare.js";
import { ModelList } from "./model_list.js";
import { ModelPage } from "./model_page.js";
import { VersionPage } from "./version_page.js";

export default function Models({ parts, query }) {
  const [name, version] = parts;
  if (!name) return html`<${ModelList} query=${query} />`;
  if (!version) return html`<${ModelPage} key=${name} name=${name} query=${query} />`;
  if (version === "compare") return html`<${ModelCompare} key=${name} name=${name} query=${query} />`;
  return html`<${VersionPage} key=${`${name}/${version}`} name=${name} version=${version} query=${query} />`;
}
