// Parts of a page that follow what happens: drawn anew by the server when there is news of their kind.
//
//   [id][data-follow="verification balance"]   the kinds: names of the events of realtime.js, without "ringfence:".
//                                              What was missed (reset, resumed, polled) counts for all of them
//   [data-follow-until=ISO TIME]               inside: what is shown no longer after that time
//
// The page's own address is asked for, so filters and the place in the list stay. Forms are better kept outside: what
// is typed there would be lost. A link or button that has the focus keeps it.

import { countDown } from "./countdown.js";

const MISSED = ["reset", "resumed", "polled"];
const WAIT = 150;
const drawn = new Map();
let due = null;
let asking = false;
let again = false;
let end = null;

const parts = () => [...document.querySelectorAll("[id][data-follow]")];
const kinds = new Set(parts().flatMap((part) => part.dataset.follow.split(" ")));

for (const kind of kinds.size ? [...kinds, ...MISSED] : []) document.addEventListener(`ringfence:${kind}`, soon);
waitForEnds();

function soon() {
  due ||= setTimeout(refresh, WAIT);
}

// One question at a time, so that an older answer never overwrites a newer one.
async function refresh() {
  due = null;
  if (asking) { again = true; return; }
  asking = true;
  try {
    const answer = await fetch(window.location.href, { headers: { "X-Requested-With": "fetch" }, cache: "no-store" });
    if (answer.ok && !answer.redirected) draw(new DOMParser().parseFromString(await answer.text(), "text/html"));
  } catch {
    // Offline: the banner says so, and the news comes again.
  }
  asking = false;
  if (again) { again = false; soon(); }
}

function draw(fresh) {
  for (const part of parts()) {
    const next = fresh.getElementById(part.id);
    if (!next || drawn.get(part.id) === next.innerHTML) continue;
    drawn.set(part.id, next.innerHTML);
    const back = part.contains(document.activeElement) ? wayBack(part, document.activeElement) : null;
    part.replaceChildren(...next.childNodes);
    back?.();
  }
  countDown();
  waitForEnds();
}

function wayBack(part, element) {
  const name = element.dataset.copy ? `[data-copy="${element.dataset.copy}"]` : element.id ? `#${CSS.escape(element.id)}` : "";
  const address = element.getAttribute("href");
  return () => {
    const same = name ? part.querySelector(name) : [...part.querySelectorAll("a")].find((link) => link.getAttribute("href") === address);
    same?.focus();
  };
}

function waitForEnds() {
  const ends = [...document.querySelectorAll("[data-follow-until]")].map((element) => Date.parse(element.dataset.followUntil));
  clearTimeout(end);
  if (ends.length) end = setTimeout(soon, Math.max(1000, Math.min(...ends) - Date.now() + 500));
}
