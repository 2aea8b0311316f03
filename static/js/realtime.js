// The only socket of a page. Page scripts listen to its events on `document`; `event.detail` is the frame.
//
//   ringfence:notification  {id, seq, notification_type, category, priority, title, message, link, icon, is_read,
//                            created_at, late}: `late` ones were missed before
//   ringfence:unread        {unread, seq, read?, hidden?, stale?}: ids that were just read, archived or deleted, on any device
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
//       id nothing happens; the counters are those of when the page was rendered; "off" polls, without a socket
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
    window.addEventListener("online", () => this.#restart());
    window.addEventListener("offline", () => this.#pause());
    window.addEventListener("pagehide", () => this.#pause());
    window.addEventListener("pageshow", (event) => { if (event.persisted) this.#restart(); });
    document.addEventListener("visibilitychange", () => { if (!document.hidden && this.live) this.#ping(); });
    this.#showState("connecting");
    this.#restart();
  }

  #restart() {
    if (this.stopped) return;
    this.failures = 0;
    if (!navigator.onLine) this.#showState("offline");
    else if (page.realtime === "off") this.#poll();
    else this.#connect();
  }

  #pause() {
    this.#closeSocket();
    this.#clearTimers("retry", "poll");
    if (!this.stopped) this.#showState(navigator.onLine ? "connecting" : "offline");
  }

  // The socket

  #connect() {
    this.#closeSocket();
    this.#clearTimers("retry");
    const scheme = window.location.protocol === "https:" ? "wss:" : "ws:";
    const socket = new WebSocket(`${scheme}//${window.location.host}/ws/notifications/${page.userId}`);
    this.socket = socket;
    socket.addEventListener("message", (event) => { if (socket === this.socket) this.#receive(JSON.parse(event.data)); });
    socket.addEventListener("close", (event) => { if (socket === this.socket) this.#closed(event.code); });
    this.#setTimer("answer", ANSWER_WITHIN, () => this.#closed(0));
  }

  // Frames of a socket that was closed are ignored.
  #closeSocket() {
    const socket = this.socket;
    this.socket = null;
    this.live = false;
    this.session.disconnected();
    this.#clearTimers("answer", "ping");
    if (socket) socket.close();
  }

  #receive(frame) {
    if (!this.session.resuming) this.#clearTimers("answer");
    if (frame.type === "hello") this.#welcomed(frame);
    this.#apply(this.session.receive(frame));
    if (frame.type === "hello" || frame.type === "resumed") this.#followVerifications();
    if (frame.type === "resumed" || frame.type === "reset") this.#clearTimers("answer");
    if (frame.type === "reset") this.#loadCounters();
  }

  #welcomed(frame) {
    this.failures = 0;
    this.live = true;
    this.seconds = frame.heartbeat;
    this.#clearTimers("poll");
    this.#showState("live");
    this.#nextPing();
  }

  #closed(code) {
    this.#closeSocket();
    if (code === NOT_YOURS) { this.#signedOut(); return; }
    this.failures += 1;
    if (!this.timers.poll) {
      // A session gets a new key when its password changes: asking by HTTP shows whether it is still good.
      if (code === NOT_SIGNED_IN || this.failures >= FAILURES_BEFORE_POLLING) this.#poll();
      else this.#showState(navigator.onLine ? "connecting" : "offline");
    }
    this.#setTimer("retry", backoff(this.failures - 1), () => this.#connect());
  }

  #nextPing() {
    this.#setTimer("ping", heartbeat(this.seconds), () => this.#ping());
  }

  #ping() {
    this.#send({ type: "ping" });
    this.#nextPing();
  }

  #send(frame) {
    if (!this.socket || this.socket.readyState !== WebSocket.OPEN) return;
    this.socket.send(JSON.stringify(frame));
    if (frame.type === "ping" || frame.type === "resume") this.#setTimer("answer", ANSWER_WITHIN, () => this.#closed(0));
  }

  // Subscribing sends the current state first, so a page also sees a verification that ended meanwhile.
  #followVerifications() {
    const ids = new Set([...document.querySelectorAll("[data-verification]")].map((element) => element.dataset.verification));
    for (const id of ids) this.#send({ type: "subscribe", channel: `verification:${id}` });
  }

  // After a reset: the lists load themselves, this loads the counters.
  async #loadCounters() {
    const answer = await this.#fetchInbox("limit=1");
    if (answer && answer.ok) this.#apply(this.session.loaded(await answer.json()));
  }

  async #fetchInbox(query) {
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
    this.#clearTimers("poll");
    this.#setTimer("poll", POLL_EVERY, () => this.#poll());
    const answer = await this.#fetchInbox(`after=${this.session.seq}&limit=${POLL_LIMIT}`);
    if (this.live || this.stopped || !this.timers.poll) return;
    if (answer && (answer.status === 401 || answer.status === 403)) { this.#signedOut(); return; }
    if (!answer || !answer.ok) { this.#showState("offline"); return; }
    const body = await answer.json();
    if (this.live || this.stopped) return;
    if (page.realtime === "off" || this.failures >= FAILURES_BEFORE_POLLING) this.#showState("polling");
    else this.#clearTimers("poll");
    this.#apply(this.session.polled(body));
  }

  // Passing on what a frame means

  #apply({ deliver, send }) {
    for (const frame of send) this.#send(frame);
    const late = deliver.filter((frame) => frame.type === "notification" && frame.late).length;
    let passed = 0;
    for (const frame of deliver) {
      if (frame.type === "unread") showBadge(frame.unread);
      else if (frame.type === "balance_update") showBalance(frame);
      // After an absence only the last three are shown as toasts; the badge counts the rest.
      else if (frame.type === "notification" && !(frame.late && ++passed <= late - 3)) toast(frame);
      if (NAMES[frame.type]) this.#dispatch(NAMES[frame.type], frame);
    }
    if (this.live && !this.timers.ack && this.session.seq > this.acked) this.#setTimer("ack", ACK_AFTER, () => this.#ack());
  }

  // One for many notifications: the server limits the rate of frames.
  #ack() {
    this.acked = this.session.seq;
    this.#send({ type: "ack", seq: this.acked });
  }

  #signedOut() {
    this.stopped = true;
    this.#pause();
    this.#showState("offline");
    this.#dispatch("signed-out", {});
  }

  #showState(state) {
    if (this.state === state) return;
    this.state = state;
    for (const element of document.querySelectorAll("[data-realtime-state]")) {
      element.dataset.realtimeState = state;
      const label = element.querySelector("[data-realtime-label]");
      if (label) label.textContent = label.dataset[state] || LABELS[state];
    }
    this.#dispatch("state", { state });
  }

  #dispatch(name, detail) {
    document.dispatchEvent(new CustomEvent(`ringfence:${name}`, { detail }));
  }

  #setTimer(name, milliseconds, act) {
    clearTimeout(this.timers[name]);
    this.timers[name] = setTimeout(() => { this.timers[name] = null; act(); }, milliseconds);
  }

  #clearTimers(...names) {
    for (const name of names) {
      clearTimeout(this.timers[name]);
      this.timers[name] = null;
    }
  }
}

if (page.userId) new Realtime().start();
