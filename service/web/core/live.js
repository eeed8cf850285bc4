// The events of running jobs, live, with one stream for all tabs of a browser: HTTP/1.1 gives a browser six connections to a
// service, and a stream holds one. One tab, elected by a Web Lock, reads the streams and posts the events to the others.
import { key, request } from "./api.js";

const MOST_STREAMS = 3; // of different jobs; the events of further ones are asked for every two seconds
const POLL = 2000; // milliseconds
const REPEAT = 4000; // milliseconds, after which a tab repeats which jobs it shows
const FORGOTTEN = 12_000; // milliseconds, after which a job is dropped that no tab shows any more
const canShare = "BroadcastChannel" in globalThis && "locks" in navigator; // a page over plain HTTP from elsewhere has no locks

let hub = null; // of the key of this tab; tabs with another key have their own

/** Calls `take(events)` with each batch of events of the job after the event `after`, until the returned function is called. */
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
    this.ended = new AbortController();
    if (!canShare) return;
    const name = `modelwright-${fingerprint(secret)}`;
    this.channel = new BroadcastChannel(name);
    this.channel.onmessage = ({ data }) => this.receive(data);
    this.timer = setInterval(() => this.repeat(), REPEAT);
    navigator.locks
      .request(name, { signal: this.ended.signal }, () => {
        this.reads = true;
        this.channel.postMessage({ kind: "who" });
        for (const [jobId, followers] of this.followers) this.read(jobId, lowest(followers));
        return new Promise((done) => this.ended.signal.addEventListener("abort", done)); // until the tab is closed
      })
      .catch(() => {}); // closed before it was elected
  }

  follow(jobId, after, take) {
    const follower = { last: after, take };
    const followers = this.followers.get(jobId) ?? new Set();
    this.followers.set(jobId, followers.add(follower));
    if (this.reads) this.read(jobId, after);
    else this.channel.postMessage({ kind: "want", jobId, after });
    return () => {
      followers.delete(follower);
      if (followers.size === 0 && this.followers.get(jobId) === followers) this.followers.delete(jobId);
    };
  }

  close() {
    this.ended.abort();
    clearInterval(this.timer);
    this.channel?.close();
    for (const stream of this.streams.values()) stream.stop();
  }

  repeat() {
    for (const [jobId, followers] of this.followers) {
      if (this.reads) this.read(jobId, lowest(followers));
      else this.channel.postMessage({ kind: "want", jobId, after: lowest(followers) });
    }
    for (const [jobId, stream] of this.streams) {
      if (performance.now() - stream.wanted > FORGOTTEN) {
        stream.stop();
        this.streams.delete(jobId);
      }
    }
  }

  receive(message) {
    if (message.kind === "events") this.give(message.jobId, message.before, message.events);
    else if (message.kind === "who") this.repeat();
    else if (message.kind === "want" && this.reads) this.read(message.jobId, message.after);
  }

  read(jobId, after) {
    const there = this.streams.get(jobId);
    if (there?.live) {
      there.wanted = performance.now();
      return;
    }
    const give = (before, events) => {
      this.give(jobId, before, events);
      this.channel?.postMessage({ kind: "events", jobId, before, events });
    };
    const streaming = [...this.streams.values()].filter((stream) => stream.live && stream.streaming).length;
    this.streams.set(jobId, new Stream(jobId, after, give, streaming < MOST_STREAMS));
  }

  /** Events of a job, the first of which follows the event `before`. A follower that lacks some asks for them itself. */
  give(jobId, before, events) {
    for (const follower of this.followers.get(jobId) ?? []) {
      if (follower.last < before) this.catchUp(jobId, follower);
      else pass(follower, events);
    }
  }

  async catchUp(jobId, follower) {
    if (follower.busy) return;
    follower.busy = true;
    try {
      pass(follower, await eventsAfter(jobId, follower.last, this.ended.signal));
    } catch {
      // the next batch tries again
    } finally {
      follower.busy = false;
    }
  }
}

/** The events of one job, from a stream or by asking again and again; both reconnect. `live` until the job has ended. */
class Stream {
  constructor(jobId, after, give, streaming) {
    Object.assign(this, { jobId, last: after, give, streaming, live: true, wanted: performance.now() });
    this.aborted = new AbortController();
    this.run().finally(() => (this.live = false));
  }

  stop() {
    this.aborted.abort();
  }

  async run() {
    const signal = this.aborted.signal;
    while (!signal.aborted) {
      try {
        if ((this.streaming ? await this.stream(signal) : await this.poll(signal)) === "ended") return;
      } catch (error) {
        if (error.status && error.status !== 503 && error.status !== 429) return; // the job is gone, or not for this key
      }
      await new Promise((done) => setTimeout(done, POLL));
    }
  }

  async stream(signal) {
    const headers = { Accept: "text/event-stream", "Last-Event-ID": String(this.last) };
    const response = await request(`v1/training-jobs/${this.jobId}/events`, { headers, signal });
    if (response.status === 204) return "ended";
    let text = "";
    const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
    for (;;) {
      const { value, done } = await reader.read();
      if (done) return "cut";
      text += value;
      const end = text.lastIndexOf("\n\n") + 2;
      if (end > 1) this.pass(parseEvents(text.slice(0, end)));
      text = end > 1 ? text.slice(end) : text;
    }
  }

  async poll(signal) {
    const events = await eventsAfter(this.jobId, this.last, signal);
    this.pass(events);
    return events.some(isFinal) ? "ended" : "again";
  }

  pass(events) {
    if (events.length === 0) return;
    const before = this.last;
    this.last = events[events.length - 1].id;
    this.give(before, events);
  }
}

/** All events after that one: the answers of as many pages as there are. */
export async function eventsAfter(jobId, after, signal) {
  const events = [];
  for (;;) {
    const query = { after: events.length ? events[events.length - 1].id : after };
    const page = await (await request(`v1/training-jobs/${jobId}/events`, { query, signal, headers: { Accept: "application/json" } })).json();
    events.push(...page.data);
    if (!page.has_more) return events;
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
