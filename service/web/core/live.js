// The events of running jobs, live, with one stream for all tabs of a browser: HTTP/1.1 gives a browser six connections to a
// service, and a stream holds one. One tab, elected by a Web Lock, reads the streams and posts the events to the others.
import { ROOT, key, request } from "./api.js";

const MOST_STREAMS = 3; // of different jobs; the events of further ones are asked for every two seconds
const POLL = 2000; // milliseconds
const REPEAT = 4000; // milliseconds, after which a tab repeats which jobs it shows; the reading tab answers each time
const FORGOTTEN = 12_000; // milliseconds, after which a job is dropped that no tab shows any more
const DEAF = 10_000; // milliseconds without an answer of the reading tab, after which a tab asks the service itself
const REFUSED = 30_000; // milliseconds, before a job is asked for again that the service has refused
const SILENCE = 40_000; // milliseconds without a byte, after which a stream is opened anew; the service sends one every 15 s
const canShare = "BroadcastChannel" in globalThis && "locks" in navigator; // a page over plain HTTP from elsewhere has no locks

let hub = null; // of the key of this tab; tabs with another key have their own

/** Calls `take(events)` with each batch of events of the job after the event `after`, until the returned function is called.
 * With another key, follow again. */
export function follow(jobId, after, take) {
  if (hub === null || hub.secret !== key.value) {
    hub?.close();
    hub = new Hub(key.value);
  }
  return hub.follow(jobId, after, take);
}

class Hub {
  constructor(secret) {
    this.secret = secret;
    this.followers = new Map(); // job id → set of { last, take }
    this.streams = new Map(); // in the tab that reads: job id → Stream
    this.reads = !canShare;
    this.heard = performance.now(); // when the reading tab was last heard
    this.ended = new AbortController();
    this.timer = setInterval(() => this.repeat(), REPEAT);
    // The timers of a tab in the background are slowed down; it catches up when it is shown.
    const changed = () => (document.hidden ? canShare || this.stopStreams() : this.repeat());
    document.addEventListener("visibilitychange", changed, { signal: this.ended.signal });
    if (!canShare) return;
    const name = `modelwright ${ROOT.pathname} ${fingerprint(secret)}`; // another service may be under another path
    this.channel = new BroadcastChannel(name);
    this.channel.onmessage = ({ data }) => this.receive(data);
    navigator.locks
      .request(name, { signal: this.ended.signal }, () => {
        this.reads = true;
        this.channel.postMessage({ kind: "who" });
        this.repeat();
        return new Promise((done) => this.ended.signal.addEventListener("abort", done)); // until the tab is closed
      })
      .catch(() => {}); // closed before it was elected
  }

  follow(jobId, after, take) {
    const follower = { last: after, take, busy: false, behind: false };
    const followers = this.followers.get(jobId) ?? new Set();
    this.followers.set(jobId, followers.add(follower));
    this.want(jobId, after);
    return () => {
      followers.delete(follower);
      if (followers.size === 0 && this.followers.get(jobId) === followers) this.followers.delete(jobId);
    };
  }

  close() {
    this.ended.abort();
    clearInterval(this.timer);
    this.channel?.close();
    this.stopStreams();
  }

  /** Without locks each tab reads for itself, and gives its connection back while it is in the background. */
  stopStreams() {
    for (const stream of this.streams.values()) stream.stop();
    this.streams.clear();
  }

  /** Asks the tab that reads, perhaps this one, for a job's events after that one. */
  want(jobId, after) {
    if (this.reads) this.read(jobId, after);
    else this.channel.postMessage({ kind: "want", jobId, after });
  }

  repeat() {
    for (const [jobId, followers] of this.followers) {
      this.want(jobId, lowest(followers));
      if (this.reads || performance.now() - this.heard < DEAF) continue;
      for (const follower of followers) this.catchUp(jobId, follower); // the browser has suspended the tab that reads
    }
    for (const [jobId, stream] of this.streams) {
      if (performance.now() - stream.wanted > FORGOTTEN) {
        stream.stop();
        this.streams.delete(jobId);
      }
    }
  }

  receive(message) {
    if (message.kind === "want") return this.reads && this.read(message.jobId, message.after);
    this.heard = performance.now();
    if (message.kind === "events") this.give(message.jobId, message.before, message.events);
    else if (message.kind === "who") this.repeat();
  }

  /** In the tab that reads: goes on with the job's stream, and says how far it is; opens one where there is none. */
  read(jobId, after) {
    if (!canShare && document.hidden) return;
    const there = this.streams.get(jobId);
    if (there) there.wanted = performance.now();
    if (there?.state === "live" || after < there?.last) return this.post(jobId, there.last, []);
    if (there?.state === "refused" && performance.now() - there.began < REFUSED) return;
    const streaming = [...this.streams.values()].filter((each) => each.state === "live" && each.streaming).length;
    const post = (before, events) => this.post(jobId, before, events);
    this.streams.set(jobId, new Stream(jobId, after, post, streaming < MOST_STREAMS));
  }

  post(jobId, before, events) {
    this.give(jobId, before, events);
    this.channel?.postMessage({ kind: "events", jobId, before, events });
  }

  /** Events of a job, the first of which follows the event `before`. A follower that lacks some asks for them itself. */
  give(jobId, before, events) {
    for (const follower of this.followers.get(jobId) ?? []) {
      if (follower.last < before) this.catchUp(jobId, follower);
      else pass(follower, events);
    }
  }

  async catchUp(jobId, follower) {
    follower.behind = true;
    if (follower.busy) return;
    follower.busy = true;
    try {
      while (follower.behind) {
        follower.behind = false; // unless more events come while these are asked for
        pass(follower, await eventsAfter(jobId, follower.last, this.ended.signal));
      }
    } catch {
      // tried again when the tab next repeats what it wants
    } finally {
      follower.busy = false;
    }
  }
}

/** The events of one job, from a stream or by asking again and again; both reconnect. Its state is "live" until the job has
 * "ended", or the service has "refused" to show it. */
class Stream {
  constructor(jobId, after, give, streaming) {
    Object.assign(this, { jobId, last: after, give, streaming, state: "live", began: performance.now(), wanted: performance.now() });
    this.stopped = new AbortController();
    this.run().then((state) => (this.state = state));
  }

  stop() {
    this.stopped.abort();
  }

  async run() {
    while (!this.stopped.signal.aborted) {
      try {
        if (await (this.streaming ? this.stream() : this.poll())) return "ended";
      } catch (error) {
        if (error.status && error.status < 500 && error.status !== 429) return "refused"; // the job is gone, or not for this key
      }
      await new Promise((done) => setTimeout(done, POLL));
    }
    return "ended";
  }

  /** Reads a stream to its end; whether it was the job's end, too. */
  async stream() {
    const cut = new AbortController();
    let silence = setTimeout(() => cut.abort(), SILENCE);
    try {
      const headers = { Accept: "text/event-stream", "Last-Event-ID": String(this.last) };
      const signal = AbortSignal.any([this.stopped.signal, cut.signal]);
      const response = await request(`v1/training-jobs/${this.jobId}/events`, { headers, signal });
      if (response.status === 204) return true;
      const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
      for (let text = ""; ; ) {
        const { value, done } = await reader.read();
        if (done) return false;
        clearTimeout(silence);
        silence = setTimeout(() => cut.abort(), SILENCE);
        text += value;
        const end = text.lastIndexOf("\n\n") + 2; // 1 where no event is complete
        if (end > 1 && this.pass(parseEvents(text.slice(0, end)))) return true;
        text = end > 1 ? text.slice(end) : text;
      }
    } finally {
      clearTimeout(silence);
      cut.abort(); // a stream that is given up must not hold its connection
    }
  }

  async poll() {
    return this.pass(await eventsAfter(this.jobId, this.last, this.stopped.signal));
  }

  /** Gives events to the tabs; whether the job has ended. */
  pass(events) {
    if (events.length === 0) return false;
    const before = this.last;
    this.last = events[events.length - 1].id;
    this.give(before, events);
    return events.some(isFinal);
  }
}

/** All events after that one: the answers of as many pages as there are. */
export async function eventsAfter(jobId, after, signal) {
  return (await listEvents(jobId, { after }, signal)).events;
}

/** The events of a job as { events, newest }: `query` may have `after` and `type`; `newest` is the id of the job's newest event. */
export async function listEvents(jobId, query, signal) {
  const events = [];
  for (;;) {
    const after = events.length ? events[events.length - 1].id : query.after;
    const response = await request(`v1/training-jobs/${jobId}/events`, {
      query: { ...query, after },
      signal,
      headers: { Accept: "application/json" },
    });
    const page = await response.json();
    events.push(...page.data);
    if (!page.has_more) return { events, newest: Number(response.headers.get("Last-Event-ID")) };
  }
}

export function isFinal(event) {
  return event.type === "status" && ["succeeded", "failed", "cancelled"].includes(event.data.status);
}

function parseEvents(text) {
  const lines = text.split("\n").filter((line) => line.startsWith("data: "));
  return lines.map((line) => JSON.parse(line.slice(6)));
}

function pass(follower, events) {
  const news = events.filter((event) => event.id > follower.last);
  if (news.length === 0) return;
  follower.last = news[news.length - 1].id;
  follower.take(news);
}

function lowest(followers) {
  return Math.min(...[...followers].map((follower) => follower.last));
}

/** Distinguishes keys without giving one away: FNV-1a, 32 bits. */
function fingerprint(secret) {
  let hash = 0x811c9dc5;
  for (const character of secret) hash = Math.imul(hash ^ character.codePointAt(0), 0x01000193) >>> 0;
  return hash.toString(16);
}
