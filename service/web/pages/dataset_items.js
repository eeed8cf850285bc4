// Small pictures of the images or videos of a data set, by class.
import { html, useState } from "../vendor/preact.js";
import { count } from "../core/format.js";
import { Seen } from "../parts/seen.js";
import { Thumbnail } from "../parts/thumbnail.js";

const OF_A_CLASS = 8; // pictures of a class before more are asked for
const MOST_CLASSES = 8;

/** `rows`: the first rows, which name the files; undefined for an older version. */
export function Items({ dataset, rows, path }) {
  const [all, setAll] = useState(false);
  const columns = dataset.columns.filter((each) => each.statistics.thumbnails?.length);
  return columns.map((column) => {
    const { thumbnails, labels } = column.statistics;
    const groups = grouped(thumbnails, labels);
    const few = groups.length > MOST_CLASSES || groups.some((each) => each.rows.length > OF_A_CLASS);
    const shown = all ? groups : groups.slice(0, MOST_CLASSES);
    const label = (row) => [`Row ${count(row + 1)}`, labels?.[thumbnails.indexOf(row)], rows?.[row]?.[column.name]?.file].filter(Boolean).join(", ");
    return html`<section class="sheet items" key=${column.name}>
      <div class="heading">
        <h2>${column.type === "video" ? "Videos" : "Images"} of <bdi>${column.name}</bdi></h2>
        ${few && html`<button type="button" aria-expanded=${all ? "true" : "false"} onClick=${() => setAll(!all)}>${all ? "Show fewer" : `Show ${count(thumbnails.length)}`}</button>`}
      </div>
      <p class="quiet small">${count(thumbnails.length)} of ${count(column.statistics.files ?? dataset.rows)}${labels ? ", spread over the classes" : ""}${column.type === "video" ? "; of a video one frame" : ""}.</p>
      <${Seen} height="220px">
        ${shown.map(
          (group) => html`<div class="group" key=${group.label}>
            ${group.label !== null && html`<h3 title=${group.label}><bdi>${group.label || "(empty)"}</bdi></h3>`}
            <ul class="plain thumbnails">
              ${(all ? group.rows : group.rows.slice(0, group.label === null ? OF_A_CLASS * 3 : OF_A_CLASS)).map(
                (row) => html`<li key=${row} title=${label(row)}>
                  <${Thumbnail} path=${`${path}/items/${row}`} query=${{ thumbnail: true, column: column.name, version: dataset.version }} label=${label(row)} />
                </li>`,
              )}
            </ul>
          </div>`,
        )}
      <//>
    </section>`;
  });
}

/** [{ label, rows }] in the order of the rows; one group without a label if there are none. */
function grouped(rows, labels) {
  if (!labels) return [{ label: null, rows }];
  const groups = new Map();
  rows.forEach((row, at) => groups.set(labels[at], [...(groups.get(labels[at]) ?? []), row]));
  return [...groups].map(([label, members]) => ({ label, rows: members }));
}
