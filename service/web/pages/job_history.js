// What has happened to a job so far, and what happens while the page is open: its log, and the series of its metrics.
import { useEffect, useRef, useState } from "../vendor/preact.js";
import { call, key, online } from "../core/api.js";
import { follow, listEvents } from "../core/live.js";
import { useSignal } from "../core/signal.js";

const BETWEEN_DRAWINGS = 100; // milliseconds; fast trainings report more often than anybody can see
const NOTHING = { of: null, series: { epoch: [] }, log: [], progress: null, error: null, seriesError: null };

/**
 * { series, log, progress, error, seriesError }: `series` as `GET …/metrics` answers it, and growing; `log`: the events that are
 * no metrics; `progress`: the latest that an event told, null before.
 *
 * `ended`: whether the job has ended, so that nothing is followed. `changed()` is called when its status has changed.
 */
export function useHistory(jobId, ended, changed) {
  const secret = useSignal(key);
  const up = useSignal(online);
  const [shown, show] = useState(NOTHING);
  const [round, setRound] = useState(0);
  const away = useRef(false);
  const tell = useRef(changed);
  tell.current = changed;
  useEffect(() => {
    if (up && away.current) setRound((number) => number + 1);
    away.current = !up;
  }, [up]);
  useEffect(() => {
    const abort = new AbortController();
    let unfollow = () => {};
    let timer = null;
    const history = { log: [], series: { epoch: [] }, progress: null, error: null, seriesError: null };
    const draw = () => {
      timer = null;
      show({ of: jobId, ...history, log: [...history.log], series: { ...history.series } });
    };
    const take = (events) => {
      for (const event of events) {
        if (event.type === "metrics") append(history, event.data);
        else history.log.push(event);
      }
      if (events.some((event) => event.type === "status")) tell.current();
      timer ??= setTimeout(draw, BETWEEN_DRAWINGS);
    };
    const load = async () => {
      const { events, newest } = await listEvents(jobId, { type: ["status", "message"], limit: 1000 }, abort.signal);
      history.log = events;
      try {
        history.series = await call(`v1/training-jobs/${jobId}/metrics`, { signal: abort.signal });
      } catch (error) {
        if (abort.signal.aborted) throw error;
        history.seriesError = error; // damaged series do not keep the rest from being shown
      }
      if (abort.signal.aborted) return;
      draw();
      if (!ended) unfollow = follow(jobId, newest, take);
    };
    load().catch((error) => {
      if (!abort.signal.aborted) show((was) => (was.of === jobId ? { ...was, error } : { ...NOTHING, of: jobId, error }));
    });
    return () => {
      abort.abort();
      unfollow();
      clearTimeout(timer);
    };
  }, [jobId, ended, secret, round]);
  return shown.of === jobId ? { ...shown, ready: true } : { ...NOTHING, ready: false };
}

/** Adds an epoch to the series. An attempt that resumed from a checkpoint computes the same values again, up to where it was. */
function append(history, { progress, epoch, ...values }) {
  const { series } = history;
  history.progress = progress ?? history.progress;
  const length = series.epoch.length;
  if (length && epoch <= series.epoch[length - 1]) return;
  series.epoch.push(epoch);
  for (const [name, value] of Object.entries(values)) {
    series[name] ??= new Array(length).fill(null);
    series[name].push(value);
  }
  for (const column of Object.values(series)) if (column.length <= length) column.push(null);
}
