// The page: navigation, the key, the theme, and the page that the address names. Each page is loaded when it is first shown.
import { html, render, useEffect, useErrorBoundary, useRef, useState } from "./vendor/preact.js";
import { link, useAddress } from "./core/address.js";
import { key, keyWanted, online, setKey, watchConnection } from "./core/api.js";
import { useSignal } from "./core/signal.js";
import { applyTheme, theme, toggleTheme } from "./core/theme.js";
import { Dialog } from "./parts/dialog.js";
import { Field } from "./parts/field.js";
import { Loading } from "./parts/states.js";

const PAGES = {
  "": { title: "Overview", load: () => import("./pages/overview.js") },
  data: { title: "Data", load: () => import("./pages/data.js") },
  train: { title: "Train", load: () => import("./pages/train.js") },
  jobs: { title: "Jobs", load: () => import("./pages/jobs.js") },
  sweeps: { title: "Sweeps", load: () => import("./pages/sweeps.js") },
  models: { title: "Models", load: () => import("./pages/models.js") },
  operations: { title: "Operations", load: () => import("./pages/operations.js") },
};

function App() {
  const address = useAddress();
  const name = address.parts[0] ?? "";
  const page = PAGES[name];
  const main = useRef(null);
  const first = useRef(true);
  useEffect(() => {
    document.title = [...address.parts.slice(1).reverse(), page?.title ?? "Not found", "Modelwright"].join(" · ");
    if (!first.current) main.current.focus({ preventScroll: true }); // a reader's next Tab begins in the new page
    first.current = false;
    scrollTo(0, 0);
  }, [address.parts.join("/")]);
  return html`<a class="skip" href="#main" onClick=${(event) => (event.preventDefault(), main.current.focus())}>Skip to the content</a>
    <header class="top">
      <a class="brand" href=${link([])}><img src="web/icon.svg" alt="" width="26" height="26" />Modelwright</a>
      <nav aria-label="Pages">
        ${Object.entries(PAGES).map(
          ([each, { title }]) => html`<a href=${link(each ? [each] : [])} aria-current=${each === name ? "page" : undefined}>${title}</a>`,
        )}
      </nav>
      <div class="tools"><a href="docs">API</a><${KeyButton} /><${ThemeButton} /></div>
    </header>
    <${OfflineBanner} />
    <main id="main" data-page=${name} ref=${main} tabindex="-1">
      ${page ? html`<${Guarded} key=${name}><${LoadedPage} page=${page} address=${address} /><//>` : html`<${NotFound} />`}
    </main>
    <${KeyDialog} />`;
}

/** A page that is loaded when it is shown; it gets the rest of the address. */
function LoadedPage({ page, address }) {
  const [state, setState] = useState({});
  useEffect(() => {
    page.load().then(
      (module) => setState({ Page: module.default }),
      () => setState({ failed: true }),
    );
  }, [page]);
  if (state.failed) return html`<p class="failure" role="alert">This page could not be loaded. Reload it once the service is back.</p>`;
  if (!state.Page) return html`<${Loading} />`;
  return html`<${state.Page} parts=${address.parts.slice(1)} query=${address.query} />`;
}

/** Shows what went wrong in a page, instead of nothing. */
function Guarded({ children }) {
  const [error, reset] = useErrorBoundary((each) => console.error(each));
  if (!error) return children;
  return html`<div class="failure" role="alert">
    <p>This page has a fault: ${error.message}</p>
    <button type="button" onClick=${reset}>Draw it again</button>
  </div>`;
}

function NotFound() {
  return html`<div class="empty"><h1>There is no such page</h1><p><a href=${link([])}>Go to the overview</a></p></div>`;
}

function OfflineBanner() {
  if (useSignal(online)) return null;
  return html`<p class="banner" role="alert">The service does not answer. This page goes on by itself when it is back.</p>`;
}

function ThemeButton() {
  const dark = useSignal(theme) === "dark";
  return html`<button type="button" class="icon" onClick=${toggleTheme} aria-label=${dark ? "Use the light theme" : "Use the dark theme"}>
    <span aria-hidden="true">${dark ? "☀" : "☾"}</span>
  </button>`;
}

function KeyButton() {
  const secret = useSignal(key);
  if (!secret) return html`<button type="button" class="icon" onClick=${() => keyWanted.set({ message: "" })}>Key</button>`;
  return html`<button type="button" class="icon" onClick=${() => setKey("")} title="The key is kept for this tab only">Forget the key</button>`;
}

/** Asks for a key when the service wants one. */
function KeyDialog() {
  const wanted = useSignal(keyWanted);
  const [value, setValue] = useState("");
  if (!wanted) return null;
  const use = (event) => {
    event.preventDefault();
    setKey(value.trim());
    setValue("");
  };
  return html`<${Dialog} title="Which key?" onClose=${() => keyWanted.set(null)}>
    <form onSubmit=${use}>
      ${wanted.message && html`<p class="failure">${wanted.message}</p>`}
      <${Field} label="API key" hint="Kept for this tab only. An operator makes one with: modelwright keys create">
        ${(about) =>
          html`<input ...${about} type="password" autocomplete="off" required value=${value} onInput=${(event) => setValue(event.target.value)} />`}
      <//>
      <div class="actions">
        <button type="button" onClick=${() => keyWanted.set(null)}>Cancel</button>
        <button type="submit" class="primary">Use this key</button>
      </div>
    </form>
  <//>`;
}

applyTheme();
watchConnection();
render(html`<${App} />`, document.getElementById("app"));
