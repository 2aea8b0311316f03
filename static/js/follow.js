// Parts of a page that are loaded again when something of their kind happens.
//
//   [id][data-follow="verification balance"]   the kinds: names of the events of realtime.js, without "ringfence:".
//                                              Missed events (reset, resumed, polled) count for all of them
//   [data-follow-until=ISO TIME]               inside: the server shows it until then
//
// The page's own address is fetched, so filters and the place in the list stay. Keep forms outside: what is typed there
// would be lost. A link or button that has the focus keeps it.

import { countDown } from "./countdown.js";
import { fetchPage, oneAtATime, replace } from "./swap.js";

const MISSED = ["reset", "resumed", "polled"];
const WAIT = 150;
const shown = new Map();
let due = null;
let end = null;

const parts = () => [...document.querySelectorAll("[id][data-follow]")];
const kinds = new Set(parts().flatMap((part) => part.dataset.follow.split(" ")));

for (const kind of kinds.size ? [...kinds, ...MISSED] : []) document.addEventListener(`ringfence:${kind}`, refreshSoon);
refreshAtEnds();

// Events that come together are answered by one request.
function refreshSoon() {
  due ||= setTimeout(() => { due = null; refresh(); }, WAIT);
}

const refresh = oneAtATime(async () => {
  const fresh = await fetchPage(window.location.href);
  if (!fresh) return;
  for (const part of parts()) {
    const next = fresh.getElementById(part.id);
    if (!next || shown.get(part.id) === next.innerHTML) continue;
    shown.set(part.id, next.innerHTML);
    replace(part, next.childNodes);
  }
  countDown();
  refreshAtEnds();
});

function refreshAtEnds() {
  const ends = [...document.querySelectorAll("[data-follow-until]")].map((element) => Date.parse(element.dataset.followUntil));
  clearTimeout(end);
  if (ends.length) end = setTimeout(refreshSoon, Math.max(1000, Math.min(...ends) - Date.now() + 500));
}
