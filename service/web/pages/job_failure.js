// What a failed training means, and what to do about it, for each code of a job's error.
import { html } from "../vendor/preact.js";
import { link } from "../core/address.js";
import { moment } from "../core/format.js";

const FAILURES = {
  training_diverged: {
    title: "The loss became infinite, or is no number",
    todo: "The steps were too large for these data. Train again with a smaller learning rate (a tenth, say), with normalized inputs, or with gradient clipping (1, say).",
  },
  invalid_data: {
    title: "The data cannot be used as the spec says",
    todo: "Correct what is named here: in the file, which is then uploaded anew; in how the columns are read; or in the spec.",
    data: true,
  },
  dataset_deleted: {
    title: "The data set was deleted before the training began",
    todo: "Upload it again under the same name, and train again.",
    data: true,
  },
  out_of_memory: {
    title: "The training needed more memory than it may take",
    todo: "Train again with a smaller batch, a smaller network or fewer rows; or the operator raises MODELWRIGHT_MAX_MEMORY_BYTES.",
  },
  time_limit: {
    title: "The training took longer than it may",
    todo: "Train again with fewer epochs, early stopping, or a time limit of its own (training.max_seconds), with which it ends in good order; or the operator raises MODELWRIGHT_MAX_TRAINING_SECONDS.",
  },
  no_space: {
    title: "No space was left on the disk",
    todo: "Make space: delete models, data sets or exports that nobody needs. Then resume this job: it goes on from its last checkpoint.",
  },
  unavailable: {
    title: "The store of models could not be reached",
    todo: "Once the store answers again, resume this job: it goes on from its last checkpoint.",
  },
  lease_lost: {
    title: "The service could not keep hold of the training",
    todo: "The machine, or its database, was too slow again and again. Train again when it has less to do.",
  },
  crashed: {
    title: "The training stopped unexpectedly, more than once",
    todo: "Often the machine had too little memory; or a plug-in failed. Train again with a smaller batch or network. The service's log has more, under the id of this job.",
  },
  journal_damaged: {
    title: "The record of this job is damaged",
    todo: "Only a part of it can be read. Train again with a spec of your own. The operator can list what is damaged with: modelwright journal verify.",
  },
};

/** The failure in a few words, such as for a row of a list. */
export function failureTitle(error) {
  return FAILURES[error?.code]?.title ?? "It failed";
}

/** Why a job failed, in its own words, and what to do now. */
export function JobFailure({ job }) {
  const known = FAILURES[job.error?.code];
  return html`<section class="failure explained" aria-label="Why it failed">
    <h2>${failureTitle(job.error)}</h2>
    <p>${job.error?.detail}</p>
    ${known && html`<p><strong>What to do:</strong> ${known.todo}</p>`}
    <p class="small">
      Failed ${moment(job.finished_at)}, code <code>${job.error?.code ?? "none"}</code>.
      ${known?.data && job.spec?.data?.dataset && html` <a href=${link(["data", job.spec.data.dataset])}>Look at the data</a>`}
    </p>
  </section>`;
}
