// What is only drawn once it comes into view, since it costs the service something.
import { html, useEffect, useRef, useState } from "../vendor/preact.js";

/** The children from when their place is seen, or nearly; `height`: of the empty place before. */
export function Seen({ height, children }) {
  const place = useRef(null);
  const [seen, setSeen] = useState(false);
  useEffect(() => {
    if (seen) return;
    const watch = new IntersectionObserver((entries) => entries.some((each) => each.isIntersecting) && setSeen(true), { rootMargin: "100px" });
    watch.observe(place.current);
    return () => watch.disconnect();
  }, [seen]);
  return seen ? children : html`<div ref=${place} style=${{ height }}></div>`;
}
