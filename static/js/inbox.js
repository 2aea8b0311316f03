// The notification centre: drawn anew by the server when something comes or was read elsewhere, with as many rows as
// were there, what was selected and where the focus was; what is done with rows is done without leaving the page.
//
//   #inbox           the list; in it form#bulk, which the rows' buttons and checkboxes belong to
//   #categories      the counts beside it
//   #search-failed   shown where an answer did not come

import { goAlong } from "./rows.js";

const NEWS = ["ringfence:notification", "ringfence:unread", "ringfence:reset"];
const inbox = document.getElementById("inbox");
const search = document.getElementById("q");
const failed = document.getElementById("search-failed");
const boxes = () => [...inbox.querySelectorAll("[name=ids]")];
let due = null;

for (const name of NEWS) {
  document.addEventListener(name, () => {
    if (due) return;
    due = setTimeout(refresh, 150);
  });
}

// While something is asked about the rows, they stay as they are: the answer belongs to the form that is there.
const question = document.getElementById("confirm");
let late = false;
question.addEventListener("close", () => { if (late) { late = false; refresh(); } });

async function refresh() {
  due = null;
  if (question.open) { late = true; return; }
  const address = new URL(window.location.href);
  const shown = inbox.querySelectorAll(".inbox-row").length;
  address.searchParams.set("shown", shown);
  let answer;
  try {
    answer = await fetch(address, { cache: "no-store" });
  } catch {
    return;  // offline: the banner says so, and the news comes again
  }
  if (!answer.ok || answer.redirected) return;
  const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
  if (question.open) late = true;
  else if (inbox.querySelectorAll(".inbox-row").length > shown) await refresh();  // more came as one scrolled
  else redraw(fresh);
}

function redraw(fresh) {
  const selected = new Set(boxes().filter((box) => box.checked).map((box) => box.value));
  const place = focused();
  for (const id of ["categories", "inbox"]) {
    const [now, next] = [document.getElementById(id), fresh.getElementById(id)];
    if (!now || !next || now.innerHTML === next.innerHTML) continue;
    const link = now.contains(document.activeElement) ? document.activeElement.getAttribute("href") : null;
    now.replaceChildren(...next.childNodes);
    window.htmx?.process(now);
    if (id === "categories" && link) [...now.querySelectorAll("a")].find((one) => one.getAttribute("href") === link)?.focus();
  }
  for (const box of boxes()) box.checked = selected.has(box.value);
  place?.();
  count();
}

// Where the focus is now, as a way back to it: the same row, or the one that took its place.
function focused() {
  const element = document.activeElement;
  if (!inbox.contains(element)) return null;
  const row = element.closest(".inbox-row");
  const kind = element.name === "ids" ? "[name=ids]" : ".list-row";
  const twin = element.name && element.value ? `button[name="${element.name}"][value="${element.value}"]` : ".list-row, a";
  if (!row) return () => {
    if (!inbox.contains(document.activeElement)) (inbox.querySelector(twin) || inbox.querySelector(".list-row, a"))?.focus();
  };
  const number = [...inbox.querySelectorAll(".inbox-row")].indexOf(row);
  return () => {
    const rows = [...inbox.querySelectorAll(".inbox-row")];
    const same = rows.find((one) => one.dataset.notification === row.dataset.notification);
    const next = same || rows[Math.min(number, rows.length - 1)];
    (next?.querySelector(kind) || search).focus({ preventScroll: Boolean(same) });
  };
}

// What is done with rows

document.addEventListener("submit", async (event) => {
  const button = event.submitter;
  if (event.target.id !== "bulk" || button?.hasAttribute("formaction") || event.defaultPrevented) return;
  event.preventDefault();
  const form = event.target;
  try {
    const answer = await fetch(form.action, {
      method: "POST", body: new FormData(form, button), headers: { Accept: "application/json" },
    });
    if (!answer.ok) throw new Error(String(answer.status));
    const { detail } = await answer.json();
    document.querySelector("[data-said]").textContent = detail;
    if (button.name !== "one") for (const box of boxes()) box.checked = false;
    failed.hidden = true;
    await refresh();
  } catch {
    failed.hidden = false;
  }
  button.removeAttribute("aria-busy");
});

// Selecting

function count() {
  const [all, chosen] = [boxes(), boxes().filter((box) => box.checked)];
  document.querySelector("[data-key-archive]").hidden = all.length > 0 && !inbox.querySelector('[value="archive"]');
  for (const element of inbox.querySelectorAll("[data-needs-script]")) element.hidden = false;
  const master = inbox.querySelector("[data-select-all]");
  if (master) {
    master.checked = all.length > 0 && chosen.length === all.length;
    master.indeterminate = chosen.length > 0 && chosen.length < all.length;
  }
  for (const button of inbox.querySelectorAll("[data-confirm-many]")) {
    const { confirmOne: one, confirmMany: many } = button.dataset;
    if (chosen.length) button.dataset.confirm = chosen.length === 1 ? one : many.replace("{count}", chosen.length);
  }
  const words = inbox.querySelector("[data-selected]");
  if (!words) return;
  words.dataset.none ??= words.textContent;
  words.textContent = chosen.length ? words.dataset.selected.replace("{count}", chosen.length) : words.dataset.none;
}

inbox.addEventListener("change", (event) => {
  if (event.target.matches("[data-select-all]")) for (const box of boxes()) box.checked = event.target.checked;
  count();
});

// The keyboard: letters count only while the focus is in the list, or (for the search) in no field.

document.addEventListener("keydown", (event) => {
  const element = event.target;
  if (document.querySelector("dialog[open]")) return;
  if (element.matches("input:not([type=checkbox]), select, textarea")) {
    if (event.key === "ArrowDown" && element === search && !search.value) goAlong(inbox, event);
    return;
  }
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.key === "/") { event.preventDefault(); search.focus(); return; }
  if (event.key === "Escape") { for (const box of boxes()) box.checked = false; count(); return; }
  if (goAlong(inbox, event) || !inbox.contains(element)) return;
  const row = element.closest(".inbox-row");
  if (!row) return;
  if (event.key === "x") { row.querySelector("[name=ids]").click(); event.preventDefault(); }
  if (event.key === "e") {
    const selected = boxes().some((box) => box.checked);
    inbox.querySelector(selected ? '[name="some"][value="archive"]' : `[value="archive:${row.dataset.notification}"]`)?.click();
  }
});

// htmx: the search, the filters, and more of the list as one comes to its end.

for (const name of ["htmx:sendError", "htmx:responseError", "htmx:timeout"]) {
  document.addEventListener(name, () => { failed.hidden = false; });
}
document.addEventListener("htmx:afterRequest", (event) => { if (event.detail.successful) failed.hidden = true; });
document.addEventListener("htmx:afterSettle", count);
count();
