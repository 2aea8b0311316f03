// The only socket of a page. Page scripts listen to its events on `document`; `event.detail` is the frame.
//
//   ringfence:notification  {id, seq, notification_type, category, priority, title, message, link, icon, is_read,
//                            created_at, late}: `late` ones were missed and are told now
//   ringfence:unread        {unread, seq, read?, hidden?, stale?}: ids that were just read or put away, anywhere
//   ringfence:balance       {balance, available, version, transaction}
//   ringfence:verification  {id, status, phone_number, code, expires_at, ...}
//   ringfence:payment       {reference, status, amount, ...}
//   ringfence:activity      {id, event, ...}
//   ringfence:resumed       nothing is missing any more
//   ringfence:reset         too much was missed: load the lists again
//   ringfence:polled        {open: [ids of the open verifications]}, while there is no socket
//   ringfence:state         {state: "connecting" | "live" | "polling" | "offline"}
//   ringfence:signed-out    the session has ended, or belongs to another customer now
//
// The page gives:
//   <body data-user-id data-seq data-unread data-version [data-currency="USD"] [data-realtime="off"]>: without a user
//       id nothing happens; the counters are those that the page was drawn with; "off" polls, without a socket
//   [data-realtime-state]   gets the state as its value; inside, [data-realtime-label] gets its word, which is its
//                           data-connecting, data-live, data-polling or data-offline
//   [data-unread-badge]     the number, hidden at 0
//   [data-balance], [data-available], [data-held]   formatted amounts, which add up
//   [data-verification=ID]  follows that verification, also after it ended
//   [data-countdown=TIME]   the time left until then (countdown.js)
//   #toasts [data-dismiss="Dismiss"] with [data-toasts=polite] and [data-toasts=assertive]: live regions that stand
//                           there from the start

import "./countdown.js";
import { Session, backoff, heartbeat } from "./session.js";
import { showBalance } from "./balance.js";
import { showBadge } from "./notifications-badge.js";
import { toast } from "./toasts.js";

const NAMES = {
  notification: "notification", unread: "unread", balance_update: "balance", verification: "verification",
  payment: "payment", activity: "activity", resumed: "resumed", reset: "reset", polled: "polled",
};
const FAILURES_BEFORE_POLLING = 3;
const POLL_EVERY = 10_000;
const ANSWER_WITHIN = 10_000;
const POLL_LIMIT = 100;
const ACK_AFTER = 1_000;
const LABELS = { connecting: "Connecting", live: "Live", polling: "Checking every 10 s", offline: "Offline" };
const NOT_SIGNED_IN = 4401;
const NOT_YOURS = 4403;

const page = document.body.dataset;

class Realtime {
  constructor() {
    this.session = new Session({ seq: Number(page.seq || 0), unread: Number(page.unread || 0), version: Number(page.version || 0) });
    this.failures = 0;
    this.stopped = false;
    this.timers = {};
    this.seconds = 25;
    this.acked = this.session.seq;
  }

  start() {
    window.addEventListener("online", () => this.#again());
    window.addEventListener("offline", () => this.#pause());
    window.addEventListener("pagehide", () => this.#pause());
    window.addEventListener("pageshow", (event) => { if (event.persisted) this.#again(); });
    document.addEventListener("visibilitychange", () => { if (!document.hidden && this.live) this.#ping(); });
    this.#say("connecting");
    this.#again();
  }

  #again() {
    if (this.stopped) return;
    this.failures = 0;
    if (!navigator.onLine) this.#say("offline");
    else if (page.realtime === "off") this.#poll();
    else this.#connect();
  }

  #pause() {
    this.#forget();
    this.#cancel("retry", "poll");
    if (!this.stopped) this.#say(navigator.onLine ? "connecting" : "offline");
  }

  // The socket

  #connect() {
    this.#forget();
    this.#cancel("retry");
    const scheme = window.location.protocol === "https:" ? "wss:" : "ws:";
    const socket = new WebSocket(`${scheme}//${window.location.host}/ws/notifications/${page.userId}`);
    this.socket = socket;
    socket.addEventListener("message", (event) => { if (socket === this.socket) this.#receive(JSON.parse(event.data)); });
    socket.addEventListener("close", (event) => { if (socket === this.socket) this.#closed(event.code); });
    this.#after("answer", ANSWER_WITHIN, () => this.#closed(0));
  }

  // A socket that is no longer ours says nothing more.
  #forget() {
    const socket = this.socket;
    this.socket = null;
    this.live = false;
    this.session.hungUp();
    this.#cancel("answer", "ping");
    if (socket) socket.close();
  }

  #receive(frame) {
    if (!this.session.resuming) this.#cancel("answer");
    if (frame.type === "hello") this.#welcomed(frame);
    this.#act(this.session.receive(frame));
    if (frame.type === "hello" || frame.type === "resumed") this.#follow();
    if (frame.type === "resumed" || frame.type === "reset") this.#cancel("answer");
    if (frame.type === "reset") this.#load();
  }

  #welcomed(frame) {
    this.failures = 0;
    this.live = true;
    this.seconds = frame.heartbeat;
    this.#cancel("poll");
    this.#say("live");
    this.#nextPing();
  }

  #closed(code) {
    this.#forget();
    if (code === NOT_YOURS) { this.#signedOut(); return; }
    this.failures += 1;
    if (!this.timers.poll) {
      // A session gets a new key when its password changes: asking by HTTP shows whether it is still good.
      if (code === NOT_SIGNED_IN || this.failures >= FAILURES_BEFORE_POLLING) this.#poll();
      else this.#say(navigator.onLine ? "connecting" : "offline");
    }
    this.#after("retry", backoff(this.failures - 1), () => this.#connect());
  }

  #nextPing() {
    this.#after("ping", heartbeat(this.seconds), () => this.#ping());
  }

  #ping() {
    this.#send({ type: "ping" });
    this.#nextPing();
  }

  #send(frame) {
    if (!this.socket || this.socket.readyState !== WebSocket.OPEN) return;
    this.socket.send(JSON.stringify(frame));
    if (frame.type === "ping" || frame.type === "resume") this.#after("answer", ANSWER_WITHIN, () => this.#closed(0));
  }

  // Its state comes at once, then its changes: one that ended while nobody listened is told too.
  #follow() {
    const ids = new Set([...document.querySelectorAll("[data-verification]")].map((element) => element.dataset.verification));
    for (const id of ids) this.#send({ type: "subscribe", channel: `verification:${id}` });
  }

  // After a reset: lists load themselves, the counters are fetched here.
  async #load() {
    const answer = await this.#ask("limit=1");
    if (answer && answer.ok) this.#act(this.session.loaded(await answer.json()));
  }

  async #ask(query) {
    try {
      return await fetch(`/api/notifications?${query}`, {
        headers: { Accept: "application/json" }, credentials: "same-origin", cache: "no-store",
      });
    } catch {
      return null;
    }
  }

  // Without a socket

  async #poll() {
    this.#cancel("poll");
    this.#after("poll", POLL_EVERY, () => this.#poll());
    const answer = await this.#ask(`after=${this.session.seq}&limit=${POLL_LIMIT}`);
    if (this.live || this.stopped || !this.timers.poll) return;
    if (answer && (answer.status === 401 || answer.status === 403)) { this.#signedOut(); return; }
    if (!answer || !answer.ok) { this.#say("offline"); return; }
    const body = await answer.json();
    if (this.live || this.stopped) return;
    if (page.realtime === "off" || this.failures >= FAILURES_BEFORE_POLLING) this.#say("polling");
    else this.#cancel("poll");
    this.#act(this.session.polled(body));
  }

  // What comes of it

  #act({ deliver, send }) {
    for (const frame of send) this.#send(frame);
    const late = deliver.filter((frame) => frame.type === "notification" && frame.late).length;
    let passed = 0;
    for (const frame of deliver) {
      if (frame.type === "unread") showBadge(frame.unread);
      else if (frame.type === "balance_update") showBalance(frame);
      // After an absence the last few are enough; the badge has the rest.
      else if (frame.type === "notification" && !(frame.late && ++passed <= late - 3)) toast(frame);
      if (NAMES[frame.type]) this.#tell(NAMES[frame.type], frame);
    }
    if (this.live && !this.timers.ack && this.session.seq > this.acked) this.#after("ack", ACK_AFTER, () => this.#ack());
  }

  // Not each by itself: a server takes only so many frames a second.
  #ack() {
    this.acked = this.session.seq;
    this.#send({ type: "ack", seq: this.acked });
  }

  #signedOut() {
    this.stopped = true;
    this.#pause();
    this.#say("offline");
    this.#tell("signed-out", {});
  }

  #say(state) {
    if (this.state === state) return;
    this.state = state;
    for (const element of document.querySelectorAll("[data-realtime-state]")) {
      element.dataset.realtimeState = state;
      const label = element.querySelector("[data-realtime-label]");
      if (label) label.textContent = label.dataset[state] || LABELS[state];
    }
    this.#tell("state", { state });
  }

  #tell(name, detail) {
    document.dispatchEvent(new CustomEvent(`ringfence:${name}`, { detail }));
  }

  #after(name, milliseconds, act) {
    clearTimeout(this.timers[name]);
    this.timers[name] = setTimeout(() => { this.timers[name] = null; act(); }, milliseconds);
  }

  #cancel(...names) {
    for (const name of names) {
      clearTimeout(this.timers[name]);
      this.timers[name] = null;
    }
  }
}

if (page.userId) new Realtime().start();
