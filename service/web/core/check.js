// A spec is checked by the service while it is written: some time after the last change, and only the newest answer counts.
import { useEffect, useState } from "../vendor/preact.js";
import { call, key, online } from "./api.js";
import { useSignal } from "./signal.js";

const PAUSE = 350; // milliseconds without a change

/** { plan, error, checking }: `plan` is the service's, of this very spec, or null; `last` the newest one of any. */
export function useCheck(spec) {
  const [state, setState] = useState({ of: null, plan: null, error: null, last: null });
  const up = useSignal(online);
  const secret = useSignal(key);
  useEffect(() => {
    if (spec === null || !up) return;
    const abort = new AbortController();
    const timer = setTimeout(() => {
      call("v1/training-jobs/validate", { method: "POST", body: spec, signal: abort.signal }).then(
        (plan) => abort.signal.aborted || setState({ of: spec, plan, error: null, last: plan }),
        (error) => abort.signal.aborted || setState((was) => ({ of: spec, plan: null, error, last: was.last })),
      );
    }, PAUSE);
    return () => (clearTimeout(timer), abort.abort());
  }, [spec, up, secret]);
  const current = state.of === spec;
  return { plan: current ? state.plan : null, error: current ? state.error : null, last: state.last, checking: spec !== null && !current };
}
