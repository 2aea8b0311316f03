// What session.js promises. Run by test_realtime_browser.py in the browser; `run()` answers the failures.

import { Session, backoff, heartbeat } from "/session.js";

const note = (seq, more = {}) => ({ type: "notification", seq, ...more });
const seqs = ({ deliver }) => deliver.filter((frame) => frame.type === "notification").map((frame) => frame.seq);
const money = (version, available, timestamp = "2026-11-21T10:00:00Z") =>
  ({ type: "balance_update", balance: available, available, version, timestamp, transaction: null });
const hello = (more = {}) => ({ type: "hello", seq: 0, unread: 0, balance: "0.00", available: "0.00", version: 0, heartbeat: 25, timestamp: "2026-11-21T09:00:00Z", ...more });
const resumed = (seq, unread = 0) => ({ type: "resumed", seq, unread });
const answer = (more) => ({ total: 0, unread: 0, seq: 0, balance: "0.00", available: "0.00", version: 0, open_verifications: [], notifications: [], ...more });

const TESTS = {
  "notifications in order are delivered as they come"(equal) {
    const session = new Session({ seq: 3 });
    equal(seqs(session.receive(note(4))), [4]);
    equal(seqs(session.receive(note(5))), [5]);
  },
  "a second copy is dropped"(equal) {
    const session = new Session({ seq: 3 });
    session.receive(note(4));
    equal(session.receive(note(4)), { deliver: [], send: [] });
  },
  "a hole resumes once, and holds what is behind it"(equal) {
    const session = new Session({ seq: 3 });
    equal(session.receive(note(6)), { deliver: [], send: [{ type: "resume", after: 3 }] });
    equal(session.receive(note(7)), { deliver: [], send: [] });
  },
  "what was missing is delivered in order, and then what was held"(equal) {
    const session = new Session({ seq: 3 });
    session.receive(note(6));
    session.receive(note(7));
    for (const seq of [4, 5, 6]) session.receive(note(seq));
    equal(seqs(session.receive(resumed(6))), [4, 5, 6, 7]);
    equal(session.seq, 7);
  },
  "holes of what was put away mean nothing once resumed"(equal) {
    const session = new Session({ seq: 0 });
    session.receive({ type: "pong", seq: 9, version: 0 });
    session.receive(note(2));
    equal(seqs(session.receive(resumed(9))), [2]);
    equal(seqs(session.receive(note(10))), [10]);
  },
  "a hole behind what was resumed resumes again"(equal) {
    const session = new Session({ seq: 0 });
    session.receive(note(2));
    session.receive(note(9));
    equal(session.receive(resumed(2)).send, [{ type: "resume", after: 2 }]);
  },
  "a pong ahead resumes, one level or behind does not"(equal) {
    const session = new Session({ seq: 5, version: 2 });
    equal(session.receive({ type: "pong", seq: 5, version: 2 }).send, []);
    equal(session.receive({ type: "pong", seq: 4, version: 1 }).send, []);
    equal(session.receive({ type: "pong", seq: 6, version: 2 }).send, [{ type: "resume", after: 5 }]);
  },
  "a pong with a later movement of money resumes"(equal) {
    const session = new Session({ seq: 5, version: 2 });
    equal(session.receive({ type: "pong", seq: 5, version: 3 }).send, [{ type: "resume", after: 5 }]);
  },
  "a first hello where the page already stands asks for nothing"(equal) {
    equal(new Session({ seq: 5 }).receive(hello({ seq: 5 })).send, []);
  },
  "a hello ahead of the page resumes"(equal) {
    equal(new Session({ seq: 5 }).receive(hello({ seq: 7 })).send, [{ type: "resume", after: 5 }]);
  },
  "coming back always resumes"(equal) {
    const session = new Session();
    session.receive(hello());
    session.disconnected();
    equal(session.receive(hello()).send, [{ type: "resume", after: 0 }]);
  },
  "what was held is forgotten with its socket, and resumed on the next"(equal) {
    const session = new Session({ seq: 1 });
    session.receive(hello({ seq: 1 }));
    session.receive(note(3));
    session.disconnected();
    equal(session.receive(hello({ seq: 3 })).send, [{ type: "resume", after: 1 }]);
    for (const seq of [2, 3]) session.receive(note(seq));
    equal(seqs(session.receive(resumed(3))), [2, 3]);
  },
  "a reset moves to its position and forgets what was held"(equal) {
    const session = new Session({ seq: 1 });
    session.receive(note(500));
    equal(session.receive({ type: "reset", seq: 500 }).deliver, [{ type: "reset", seq: 500 }]);
    equal(seqs(session.receive(note(501))), [501]);
  },
  "an older balance never replaces a newer one"(equal) {
    const session = new Session();
    equal(session.receive(money(2, "8.00")).deliver.length, 1);
    equal(session.receive(money(1, "9.00", "2026-11-21T11:00:00Z")).deliver, []);
  },
  "of one version the later time wins"(equal) {
    const session = new Session();
    session.receive(money(2, "8.00", "2026-11-21T10:00:00.500000Z"));
    equal(session.receive(money(2, "9.00", "2026-11-21T10:00:00Z")).deliver, []);
    equal(session.receive(money(2, "7.00", "2026-11-21T10:00:01Z")).deliver.length, 1);
  },
  "a hello's balance gives way to a later hold of the same version"(equal) {
    const session = new Session();
    session.receive(hello({ version: 1, available: "5.00" }));
    equal(session.receive(money(1, "4.00")).deliver[0].available, "4.00");
  },
  "the badge follows the greater seq, then the smaller number"(equal) {
    const session = new Session({ seq: 3, unread: 3 });
    const badge = (unread, seq) => session.receive({ type: "unread", unread, seq }).deliver[0].unread;
    equal(badge(2, 3), 2);
    equal(badge(3, 3), 2);
    equal(badge(3, 4), 3);
    equal(badge(0, 3), 3);
  },
  "a notification that is read elsewhere is told with its ids"(equal) {
    const session = new Session({ seq: 3, unread: 3 });
    equal(session.receive({ type: "unread", unread: 2, seq: 3, read: [9] }).deliver, [{ type: "unread", unread: 2, seq: 3, read: [9] }]);
  },
  "polling delivers what is new, once, in order"(equal) {
    const session = new Session({ seq: 1 });
    const rows = [{ seq: 3, type: "low_balance" }, { seq: 2, type: "low_balance" }];
    const given = answer({ seq: 3, unread: 2, total: 2, notifications: rows });
    equal(seqs(session.polled(given)), [2, 3]);
    equal(session.polled(given).deliver.map((frame) => frame.type), ["unread", "balance_update", "polled"]);
  },
  "polling keeps the kind of a notification apart from the kind of frame"(equal) {
    const [frame] = new Session().polled(answer({ seq: 1, total: 1, notifications: [{ seq: 1, type: "low_balance" }] })).deliver;
    equal([frame.type, frame.notification_type], ["notification", "low_balance"]);
  },
  "polling that can't show all is a reset"(equal) {
    const session = new Session({ seq: 1 });
    const outcome = session.polled(answer({ seq: 300, unread: 7, total: 299, notifications: [{ seq: 2, type: "x" }] }));
    equal(outcome.deliver.at(-1), { type: "reset", seq: 300 });
    equal([session.seq, session.counted.unread], [300, 7]);
  },
  "open verifications are told when polling"(equal) {
    const outcome = new Session().polled(answer({ open_verifications: [{ id: "v1", status: "waiting" }] }));
    equal(outcome.deliver.at(-2), { id: "v1", status: "waiting", type: "verification" });
    equal(outcome.deliver.at(-1), { type: "polled", open: ["v1"] });
  },
  "after a reset the counters are whatever the server says"(equal) {
    const session = new Session({ seq: 9, unread: 9, version: 9 });
    session.receive({ type: "reset", seq: 2 });
    const { deliver } = session.loaded(answer({ seq: 2, unread: 1, version: 3, available: "1.00" }));
    equal(deliver.map((frame) => frame.unread ?? frame.available), [1, "1.00"]);
    equal(session.receive({ type: "pong", seq: 2, version: 3 }).send, []);
  },
  "delays double up to half a minute, and are spread over their upper half"(equal) {
    equal([0, 1, 2].map((attempt) => backoff(attempt, () => 1)), [500, 1000, 2000]);
    equal([backoff(0, () => 0), backoff(50, () => 0), backoff(50, () => 1)], [250, 15_000, 30_000]);
  },
  "heartbeats come a little earlier than asked, each client at its own time"(equal) {
    equal([heartbeat(20, () => 0), heartbeat(20, () => 1)], [15_000, 20_000]);
  },
};

export function run() {
  const failures = [];
  for (const [name, test] of Object.entries(TESTS)) {
    const equal = (is, should) => {
      if (JSON.stringify(is) !== JSON.stringify(should)) throw new Error(`${JSON.stringify(is)} is not ${JSON.stringify(should)}`);
    };
    try { test(equal); } catch (error) { failures.push(`${name}: ${error.message}`); }
  }
  return { ran: Object.keys(TESTS).length, failures };
}
