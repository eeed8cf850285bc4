// The status of a job, in one word.
import { html } from "../vendor/preact.js";

const MARKS = { running: "", queued: "idle", paused: "warn", succeeded: "good", failed: "bad", cancelled: "idle" };

export function Status({ job }) {
  return html`<span class=${`mark ${MARKS[job.status] ?? ""}`}>${job.status}${job.requested ? ` (${job.requested} requested)` : ""}</span>`;
}
