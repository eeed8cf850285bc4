// What else there is to know about a job: its log, its attempts, its spec.
import { html } from "../vendor/preact.js";
import { go, link } from "../core/address.js";
import { duration, moment } from "../core/format.js";
import { useResource } from "../core/resource.js";
import { Code } from "../parts/code.js";
import { Ready } from "../parts/states.js";
import { Tabs } from "../parts/tabs.js";

const TABS = [
  { id: "log", label: "Log" },
  { id: "attempts", label: "Attempts" },
  { id: "spec", label: "Spec" },
];
const CAUSES = {
  stopped: "The service was stopped, and saved where it stood",
  lease_lost: "The service that ran it had ended, or was too slow",
  trainer_server_lost: "The process that starts trainings had ended",
  crashed: "Its process ended unexpectedly",
};

export function JobTabs({ job, history, query }) {
  const chosen = TABS.some((tab) => tab.id === query.tab) ? query.tab : "log";
  const choose = (tab) => go(["jobs", job.id], { ...query, tab }, { replace: true });
  return html`<section class="sheet" aria-label="Details">
    <${Tabs} label="Details of the job" tabs=${TABS} chosen=${chosen} onChoose=${choose}>
      ${chosen === "log" && html`<${Log} log=${history.log} />`}
      ${chosen === "attempts" && html`<${Attempts} job=${job} />`}
      ${chosen === "spec" && html`<${Spec} job=${job} />`}
    <//>
  </section>`;
}

function Log({ log }) {
  return html`<div role="log" aria-label="Events"><ol class="log">
    ${log.map((event) => html`<li key=${event.id}><time class="quiet" datetime=${event.created_at}>${moment(event.created_at)}</time> <span>${inWords(event)}</span></li>`)}
    ${log.length === 0 && html`<li class="quiet">The events of jobs that ended long ago are not kept.</li>`}
  </ol></div>`;
}

function inWords({ type, data }) {
  if (type === "message") return capital(data.error?.detail ?? data.text ?? "");
  const { status, attempt, result, error, cause } = data;
  const reason = error ?? cause;
  if (status === "running") return `Running, attempt ${attempt}`;
  if (status === "succeeded") {
    return result?.version ? `Succeeded: ${result.model_name} version ${result.version}` : "Succeeded, without a version: it is a trial";
  }
  return capital(reason ? `${status}: ${CAUSES[reason.code] ?? reason.detail}` : status);
}

function capital(text) {
  return text.charAt(0).toUpperCase() + text.slice(1);
}

function Attempts({ job }) {
  const attempts = useResource(`v1/training-jobs/${job.id}/attempts`, { every: job.finished_at ? undefined : 5 });
  return html`<${Ready} of=${attempts}>
    ${({ data }) =>
      data.length === 0
        ? html`<p class="quiet">None yet: it waits for its turn.</p>`
        : html`<p class="quiet">An attempt that is interrupted is followed by another one, which goes on from the last checkpoint and ends with the same model.</p>
            <div class="wide" tabindex="0" role="region" aria-label="Attempts">
              <table>
                <thead><tr><th scope="col" class="number">Attempt</th><th scope="col">Began</th><th scope="col">Took</th><th scope="col">Ended as</th><th scope="col">Why</th></tr></thead>
                <tbody>
                  ${data.map(
                    (each) => html`<tr key=${each.attempt}>
                      <td class="number">${each.attempt}</td>
                      <td class="when">${moment(each.started_at)}</td>
                      <td>${each.ended_at ? duration((Date.parse(each.ended_at) - Date.parse(each.started_at)) / 1000) : "–"}</td>
                      <td>${each.status ?? (each.cause ? "unknown" : "running")}</td>
                      <td>${each.cause ? (CAUSES[each.cause.code] ?? each.cause.detail) : "–"}</td>
                    </tr>`,
                  )}
                </tbody>
              </table>
            </div>`}
  <//>`;
}

function Spec({ job }) {
  const { notes, ...spec } = job.spec;
  const records = spec.data?.records;
  const shown = records?.length > 20 ? { ...spec, data: { ...spec.data, records: records.slice(0, 20) } } : spec;
  return html`<p class="quiet">
      Every default is filled in.${records?.length > 20 && ` The first 20 of its ${records.length.toLocaleString("en")} records are shown.`}${" "}
      <a href=${link(["train"], { job: job.id })}>Train again with changes</a>
    </p>
    ${notes && html`<p><strong>Notes:</strong> ${notes}</p>`}
    <div class="long"><${Code} text=${JSON.stringify(shown, null, 2)} label="The spec as JSON" /></div>`;
}
