// The state of a client of the sockets, without a browser: order, holes, which frame is newer, when to try again.
// `realtime.js` sends and receives the frames. Every method returns {deliver: [frame], send: [frame]}.

const FIRST_DELAY = 500;
const LONGEST_DELAY = 30_000;

/** Milliseconds until try number `attempt` (from 0): doubling, and spread so that a wave of clients comes apart. */
export function backoff(attempt, random = Math.random) {
  return Math.min(LONGEST_DELAY, FIRST_DELAY * 2 ** Math.min(attempt, 10)) * (0.5 + random() / 2);
}

/** Milliseconds until the next ping, a little different for each client and time. */
export function heartbeat(seconds, random = Math.random) {
  return seconds * 1000 * (0.75 + random() / 4);
}

// Times with and without microseconds compare as text only when they are equally long.
function comparable(timestamp) {
  return timestamp.replace(/(\.\d+)?(Z|\+00:00)$/, (_all, fraction) => (fraction || ".").padEnd(7, "0"));
}

export class Session {
  constructor({ seq = 0, unread = 0, version = 0 } = {}) {
    this.seq = seq;
    this.counted = { seq, unread };
    this.version = version;
    this.stamp = "";
    this.resuming = false;
    this.greeted = false;
    this.held = new Map();
  }

  /** The socket was closed: what it still had to send does not come. */
  disconnected() {
    this.resuming = false;
    this.held.clear();
  }

  receive(frame) {
    switch (frame.type) {
      case "hello": return this.#hello(frame);
      case "notification": return this.#notification(frame);
      case "unread": return this.#unread(frame);
      case "balance_update": return { deliver: this.#balance(frame), send: [] };
      case "pong": return { deliver: [], send: this.#behind(frame) ? this.#resume() : [] };
      case "resumed": return this.#resumed(frame);
      case "reset": return this.#reset(frame);
      case "error": return { deliver: [], send: [] };
      default: return { deliver: [frame], send: [] };
    }
  }

  /** Takes the answer of `GET /api/notifications?after=SEQ`. */
  polled(answer) {
    if (answer.seq < this.seq || answer.total > answer.notifications.length) {
      return { deliver: [...this.loaded(answer).deliver, ...this.#reset(answer).deliver], send: [] };
    }
    const missed = answer.notifications
      .filter((one) => one.seq > this.seq)
      .sort((one, other) => one.seq - other.seq)
      .map((one) => ({ ...one, type: "notification", notification_type: one.type, late: true }));
    this.seq = Math.max(answer.seq, this.seq, ...missed.map((one) => one.seq));
    this.#count(answer);
    const deliver = [...missed, { type: "unread", ...this.counted }, ...this.#balance(answer)];
    for (const body of answer.open_verifications) deliver.push({ ...body, type: "verification" });
    deliver.push({ type: "polled", open: answer.open_verifications.map((one) => one.id) });
    return { deliver, send: [] };
  }

  /** Takes the counters of any answer of `GET /api/notifications` after a reset, even where they are lower. */
  loaded(answer) {
    this.seq = Math.max(this.seq, answer.seq);
    this.counted = { seq: answer.seq, unread: answer.unread };
    this.version = Math.min(this.version, answer.version);
    return { deliver: [{ type: "unread", ...this.counted }, ...this.#balance(answer)], send: [] };
  }

  #hello(frame) {
    const returning = this.greeted;
    this.greeted = true;
    this.#count(frame);
    const deliver = [{ type: "unread", ...this.counted }, ...this.#balance(frame)];
    return { deliver, send: returning || frame.seq !== this.seq ? this.#resume() : [] };
  }

  #notification(frame) {
    if (frame.seq <= this.seq) return { deliver: [], send: [] };
    if (frame.unread !== undefined) this.#count(frame);
    if (!this.resuming && frame.seq === this.seq + 1) {
      this.seq = frame.seq;
      return { deliver: [frame], send: [] };
    }
    this.held.set(frame.seq, frame);
    return { deliver: [], send: this.#resume() };
  }

  // All that was missing has come. Holes up to `resumed.seq` are hidden notifications, not lost ones.
  #resumed(frame) {
    this.resuming = false;
    const held = [...this.held.values()].sort((one, other) => one.seq - other.seq);
    this.held.clear();
    const deliver = held.filter((one) => one.seq > this.seq && one.seq <= frame.seq).map((one) => ({ ...one, late: true }));
    this.seq = Math.max(this.seq, frame.seq);
    const send = [];
    for (const one of held.filter((later) => later.seq > frame.seq)) {
      const outcome = this.#notification(one);
      deliver.push(...outcome.deliver);
      send.push(...outcome.send);
    }
    this.#count(frame);
    deliver.push({ type: "unread", ...this.counted }, frame);
    return { deliver, send };
  }

  #reset(frame) {
    this.disconnected();
    this.seq = frame.seq;
    return { deliver: [{ type: "reset", seq: frame.seq }], send: [] };
  }

  #unread(frame) {
    this.#count(frame);
    return { deliver: [{ ...frame, ...this.counted }], send: [] };
  }

  // The newer one has the greater seq, then the smaller count: only a new notification raises the count.
  #count({ seq, unread }) {
    if (seq > this.counted.seq || (seq === this.counted.seq && unread < this.counted.unread)) {
      this.counted = { seq, unread };
    }
  }

  // The journal's version decides; between two of the same, as when money is only set aside, the time does.
  #balance({ balance, available, version, timestamp, transaction = null }) {
    const stamp = timestamp ? comparable(timestamp) : this.stamp;
    if (version < this.version || (version === this.version && stamp < this.stamp)) return [];
    this.version = version;
    this.stamp = stamp;
    return [{ type: "balance_update", balance, available, version, transaction }];
  }

  #behind({ seq, version }) {
    return seq > this.seq || version > this.version;
  }

  #resume() {
    if (this.resuming) return [];
    this.resuming = true;
    return [{ type: "resume", after: this.seq }];
  }
}
