// The notification centre: loaded again when something comes or was read elsewhere, with as many rows as there were. The
// selection and the focus stay. Rows are read, archived and deleted without leaving the page.
//
//   #inbox           the list; in it form#bulk, which the rows' buttons and checkboxes belong to
//   #categories      the counts beside it
//   #search-failed   shown when a request failed

import { moveAmongRows } from "./rows.js";
import { fetchPage, rememberSame, replace } from "./swap.js";

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

// While the page asks for a confirmation the rows stay as they are: the answer belongs to the form that is there.
const question = document.getElementById("confirm");
let late = false;
question.addEventListener("close", () => { if (late) { late = false; refresh(); } });

async function refresh() {
  due = null;
  if (question.open) { late = true; return; }
  const address = new URL(window.location.href);
  const shown = inbox.querySelectorAll(".inbox-row").length;
  address.searchParams.set("shown", shown);
  const fresh = await fetchPage(address);
  if (!fresh) return;
  if (question.open) late = true;
  else if (inbox.querySelectorAll(".inbox-row").length > shown) await refresh();  // more rows were loaded by scrolling
  else show(fresh);
}

function show(fresh) {
  const selected = new Set(boxes().filter((box) => box.checked).map((box) => box.value));
  for (const id of ["categories", "inbox"]) {
    const [now, next] = [document.getElementById(id), fresh.getElementById(id)];
    if (!now || !next || now.innerHTML === next.innerHTML) continue;
    replace(now, next.childNodes, now === inbox ? rememberRow : rememberSame);
    window.htmx?.process(now);
  }
  for (const box of boxes()) box.checked = selected.has(box.value);
  count();
}

// Focuses the same thing in the same row, or in the row that took its place.
function rememberRow(_inbox, element) {
  const row = element.closest(".inbox-row");
  const kind = element.name === "ids" ? "[name=ids]" : ".list-row";
  const twin = element.name && element.value ? `button[name="${element.name}"][value="${element.value}"]` : ".list-row, a";
  if (!row) return () => (inbox.querySelector(twin) || inbox.querySelector(".list-row, a"))?.focus();
  const number = [...inbox.querySelectorAll(".inbox-row")].indexOf(row);
  return () => {
    const rows = [...inbox.querySelectorAll(".inbox-row")];
    const same = rows.find((one) => one.dataset.notification === row.dataset.notification);
    const next = same || rows[Math.min(number, rows.length - 1)];
    (next?.querySelector(kind) || search).focus({ preventScroll: Boolean(same) });
  };
}

// Reading, archiving and deleting rows

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
    if (event.key === "ArrowDown" && element === search && !search.value) moveAmongRows(inbox, event);
    return;
  }
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.key === "/") { event.preventDefault(); search.focus(); return; }
  if (event.key === "Escape") { for (const box of boxes()) box.checked = false; count(); return; }
  if (moveAmongRows(inbox, event) || !inbox.contains(element)) return;
  const row = element.closest(".inbox-row");
  if (!row) return;
  if (event.key === "x") { row.querySelector("[name=ids]").click(); event.preventDefault(); }
  if (event.key === "e") {
    const selected = boxes().some((box) => box.checked);
    inbox.querySelector(selected ? '[name="some"][value="archive"]' : `[value="archive:${row.dataset.notification}"]`)?.click();
  }
});

// htmx: the search, the filters, and more rows at the end of the list.

for (const name of ["htmx:sendError", "htmx:responseError", "htmx:timeout"]) {
  document.addEventListener(name, () => { failed.hidden = false; });
}
document.addEventListener("htmx:afterRequest", (event) => { if (event.detail.successful) failed.hidden = true; });
document.addEventListener("htmx:afterSettle", count);
count();
