// What a page shows comes from resources: the answer of a GET, with its states, kept up to date.
import { useCallback, useEffect, useRef, useState } from "../vendor/preact.js";
import { call, key, online } from "./api.js";
import { useSignal } from "./signal.js";

/**
 * The answer of `GET path`: { data, error, loading, reload }. Nothing is asked for while `path` is null.
 *
 * The last data stay while they are asked for again: after `reload()`, every `every` seconds while the page is visible, with
 * another key, and when the service is back. Another path begins without data.
 */
export function useResource(path, { query, every } = {}) {
  const secret = useSignal(key);
  const up = useSignal(online);
  const [state, setState] = useState({ data: null, error: null, loading: true, of: null });
  const [round, setRound] = useState(0);
  const reload = useCallback(() => setRound((number) => number + 1), []);
  const address = path === null ? null : JSON.stringify([path, query]);
  const failed = useRef(false);
  useEffect(() => {
    if (address === null) return;
    const abort = new AbortController();
    setState((was) => (was.of === address ? { ...was, loading: true } : { data: null, error: null, loading: true, of: address }));
    call(path, { query, signal: abort.signal }).then(
      (data) => setState({ data, error: null, loading: false, of: address }),
      (error) => {
        if (!abort.signal.aborted) setState((was) => ({ ...was, error, loading: false, of: address }));
      },
    );
    return () => abort.abort();
  }, [address, round, secret]);
  useEffect(() => {
    if (up && failed.current) reload();
    failed.current = !up;
  }, [up]);
  useEffect(() => {
    if (!every || address === null) return;
    const timer = setInterval(() => document.hidden || !online.value || reload(), every * 1000);
    return () => clearInterval(timer);
  }, [every, address]);
  const current = state.of === address ? state : { data: null, error: null, loading: address !== null };
  return { data: current.data, error: current.error, loading: current.loading, reload };
}

/**
 * Pages of a list: { items, more, loading, error, next, reload }. `next()` adds the following page, whose `after` is `idOf` the
 * last item. `every`: seconds after which the first page is read again, while only that is shown.
 */
export function usePages(path, { query = {}, limit = 50, idOf, every } = {}) {
  const [later, setLater] = useState({ of: null, items: [], more: null, loading: false, error: null });
  const first = useResource(path, { query: { ...query, limit }, every: later.items.length ? undefined : every });
  const address = JSON.stringify([path, query]);
  const added = later.of === address ? later : { items: [], more: null, loading: false, error: null };
  const items = [...(first.data?.data ?? []), ...added.items];
  const next = async () => {
    const known = { ...added, of: address };
    setLater({ ...known, loading: true, error: null });
    try {
      const page = await call(path, { query: { ...query, limit, after: idOf(items[items.length - 1]) } });
      setLater({ of: address, items: [...known.items, ...page.data], more: page.has_more, loading: false, error: null });
    } catch (error) {
      setLater({ ...known, loading: false, error });
    }
  };
  return {
    items,
    more: added.more ?? first.data?.has_more ?? false,
    loading: first.loading || added.loading,
    ready: first.data !== null,
    error: first.error ?? added.error,
    next,
    reload: () => {
      setLater({ of: null, items: [], more: null, loading: false, error: null });
      first.reload();
    },
  };
}
