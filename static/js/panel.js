// The bell opens the latest notifications beside the page; without scripts, or with a modifier key, it is a link.

import { moveAmongRows } from "./rows.js";
import { fetchPage, replace } from "./swap.js";

const bell = document.querySelector("[data-bell]");
const panel = document.getElementById("notifications-panel");
const body = panel?.querySelector("[data-panel-body]");
let shown = "";

bell?.addEventListener("click", (event) => {
  if (!panel || event.ctrlKey || event.metaKey || event.shiftKey || document.getElementById("inbox")) return;
  event.preventDefault();
  panel.showModal();
  load();
});

panel?.addEventListener("click", (event) => {
  if (event.target === panel) panel.close();
  if (event.target.closest("[data-panel-retry]")) load();
});
panel?.querySelector("[data-panel-close]").addEventListener("click", () => panel.close());
panel?.addEventListener("keydown", (event) => moveAmongRows(panel, event));
panel?.addEventListener("submit", async (event) => {
  if (event.target.id !== "panel-rows" || event.submitter?.hasAttribute("formaction")) return;
  event.preventDefault();
  try {
    const body = new FormData(event.target, event.submitter);
    await fetch(event.target.action, { method: "POST", body, headers: { Accept: "application/json" } });
  } catch {
    // Offline: the banner shows it; the list stays as it is.
  }
  load();
});
for (const name of ["notification", "unread", "resumed"]) {
  document.addEventListener(`ringfence:${name}`, () => { if (panel?.open) load(); });
}

async function load() {
  const fresh = await fetchPage(`${bell.href}?panel=1`);
  const html = fresh ? fresh.body.innerHTML : "";
  if (fresh && html === shown) return;
  shown = html;
  const nodes = fresh ? fresh.body.childNodes : [panel.querySelector("[data-panel-failed]").content.cloneNode(true)];
  replace(body, nodes, () => () => body.focus());
}
