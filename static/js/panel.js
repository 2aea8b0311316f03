// The bell opens the latest notifications beside the page; without scripts, or with a modifier key, it is a link.

import { goAlong } from "./rows.js";

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
panel?.addEventListener("keydown", (event) => goAlong(panel, event));
panel?.addEventListener("submit", async (event) => {
  if (event.target.id !== "panel-rows" || event.submitter?.hasAttribute("formaction")) return;
  event.preventDefault();
  try {
    const body = new FormData(event.target, event.submitter);
    await fetch(event.target.action, { method: "POST", body, headers: { Accept: "application/json" } });
  } catch {
    // Offline: the banner says so; what is shown stays as it is.
  }
  load();
});
for (const name of ["notification", "unread", "resumed"]) {
  document.addEventListener(`ringfence:${name}`, () => { if (panel?.open) load(); });
}

async function load() {
  try {
    const answer = await fetch(`${bell.href}?panel=1`, { credentials: "same-origin", cache: "no-store" });
    if (!answer.ok || answer.redirected) throw new Error(String(answer.status));
    const html = await answer.text();
    if (html === shown) return;
    shown = html;
    show(...new DOMParser().parseFromString(html, "text/html").body.childNodes);
  } catch {
    shown = "";
    show(panel.querySelector("[data-panel-failed]").content.cloneNode(true));
  }
}

function show(...nodes) {
  const inside = body.contains(document.activeElement);
  body.replaceChildren(...nodes);
  if (inside) body.focus();
}
