// Light or dark: as the system says, unless the reader has chosen.
import { signal } from "./signal.js";

const NAME = "modelwright.theme";
const dark = matchMedia("(prefers-color-scheme: dark)");

export const theme = signal(localStorage.getItem(NAME) ?? (dark.matches ? "dark" : "light"));

export function applyTheme() {
  const show = (value) => (document.documentElement.dataset.theme = value);
  show(theme.value);
  theme.follow(show);
  dark.addEventListener("change", () => localStorage.getItem(NAME) ?? theme.set(dark.matches ? "dark" : "light"));
}

export function toggleTheme() {
  const next = theme.value === "dark" ? "light" : "dark";
  localStorage.setItem(NAME, next);
  theme.set(next);
}

/** The value of a colour of the style sheet, such as "--accent", for what is drawn on a canvas. */
export function color(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}
