// Changes by the API: { run, busy, error, reset } of an asynchronous function.
import { useState } from "../vendor/preact.js";

/** `run(…)` calls `perform(…)` and then `done(result)`; while it runs `busy` is true, and `error` is what it failed by. */
export function useChange(perform, done = () => {}) {
  const [state, setState] = useState({ busy: false, error: null });
  const run = async (...given) => {
    setState({ busy: true, error: null });
    try {
      const result = await perform(...given);
      setState({ busy: false, error: null });
      done(result);
    } catch (error) {
      setState({ busy: false, error });
    }
  };
  return { ...state, run, reset: () => setState({ busy: false, error: null }) };
}
