// The figures of /metrics, read again and again while the page of operations is open, and what happened between two readings.
import { useEffect, useState } from "../vendor/preact.js";
import { key, online, request } from "../core/api.js";
import { parseMetrics, sumOf } from "../core/prometheus.js";
import { useSignal } from "../core/signal.js";

const EVERY = 5000; // milliseconds
const KEPT = 360; // readings: half an hour

/** { metrics, rates, error }: `metrics` of the newest reading, null before; `rates`: { at, requests, predictions, refused, failed },
 * each a list with a value a second for each pair of readings, null over a restart of the service. */
export function useMetrics() {
  const secret = useSignal(key);
  const [state, setState] = useState({ metrics: null, readings: [], error: null });
  useEffect(() => {
    const abort = new AbortController();
    const read = async () => {
      if (document.hidden) return;
      try {
        const text = await (await request("metrics", { signal: abort.signal })).text();
        const metrics = parseMetrics(text);
        setState((was) => ({ metrics, readings: [...was.readings, countsOf(metrics)].slice(-KEPT), error: null }));
      } catch (error) {
        if (!abort.signal.aborted) setState((was) => ({ ...was, error }));
      }
    };
    read();
    const timer = setInterval(read, EVERY);
    return () => {
      clearInterval(timer);
      abort.abort();
    };
  }, [secret]);
  return { metrics: state.metrics, rates: ratesOf(state.readings), error: state.error };
}

function countsOf(metrics) {
  const all = (name, from, to) => sumOf(metrics, name, ({ status }) => status >= from && status < to) ?? 0;
  const both = (from, to) => all("modelwright_http_requests_total", from, to) + all("modelwright_predictions_total", from, to);
  return {
    at: Date.now() / 1000,
    requests: both(0, 1000),
    predictions: all("modelwright_predictions_total", 0, 1000),
    refused: both(400, 500),
    failed: both(500, 1000),
  };
}

function ratesOf(readings) {
  const rates = { at: [], requests: [], predictions: [], refused: [], failed: [] };
  for (let next = 1; next < readings.length; next += 1) {
    const [before, after] = [readings[next - 1], readings[next]];
    const seconds = after.at - before.at;
    const restarted = after.requests < before.requests;
    rates.at.push(after.at);
    for (const name of ["requests", "predictions", "refused", "failed"]) {
      rates[name].push(restarted || seconds <= 0 ? null : Math.max(0, after[name] - before[name]) / seconds);
    }
  }
  return rates;
}
