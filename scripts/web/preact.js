// What the dashboard uses of preact and htm, as one file.
export { Component, Fragment, createContext, h, render } from "preact";
export {
  useCallback,
  useContext,
  useEffect,
  useErrorBoundary,
  useId,
  useLayoutEffect,
  useMemo,
  useReducer,
  useRef,
  useState,
} from "preact/hooks";
import htm from "htm";
import { h } from "preact";
export const html = htm.bind(h);
