// The first page: its two lists are drawn anew by the server when there is news of them.

import { countDown } from "./countdown.js";

const NEWS = ["ringfence:verification", "ringfence:balance", "ringfence:reset"];
const drawn = {};
let due = null;

for (const name of NEWS) {
  document.addEventListener(name, () => {
    if (due) return;
    due = setTimeout(refresh, 150);
  });
}

async function refresh() {
  due = null;
  let answer;
  try {
    answer = await fetch("/", { headers: { "X-Requested-With": "fetch" } });
  } catch {
    return;  // offline: the banner says so, and the news comes again
  }
  if (!answer.ok || answer.redirected) return;
  const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
  for (const id of ["running", "recent-money"]) {
    const [now, next] = [document.getElementById(id), fresh.getElementById(id)];
    if (!now || !next || drawn[id] === next.innerHTML) continue;
    drawn[id] = next.innerHTML;
    const focused = now.contains(document.activeElement) ? document.activeElement.getAttribute("href") : null;
    now.replaceChildren(...next.childNodes);
    // Who was at a link in the list stays there.
    if (focused) [...now.querySelectorAll("a")].find((link) => link.getAttribute("href") === focused)?.focus();
  }
  countDown();
}
