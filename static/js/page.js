// What every page does: copying, confirming, marking a form as busy, light and dark, tabs, the reader's time zone.

document.addEventListener("click", async (event) => {
  const button = event.target.closest("[data-copy]");
  if (!button) return;
  const source = document.querySelector(button.dataset.copy);
  if (!source) return;
  await copy((source.dataset.value || source.textContent).trim());
  const label = button.querySelector("[data-copy-label]") || button;
  const before = label.dataset.before || label.textContent;
  label.dataset.before = before;
  label.textContent = button.dataset.copied || "Copied";
  announce(label.textContent);
  setTimeout(() => { label.textContent = before; }, 1600);
});

async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    // Without a secure context the clipboard is out of reach: the old way through a selected field.
    const field = Object.assign(document.createElement("textarea"), { value: text });
    document.body.append(field);
    field.select();
    document.execCommand("copy");
    field.remove();
  }
}

/** Announces something to screen readers. */
function announce(words) {
  const region = document.querySelector("[data-said]");
  if (region) region.textContent = words;
}

// <form data-confirm="What will happen?">, or one of its buttons: asked in #confirm, answered by its own words.

const question = document.getElementById("confirm");
let asked = null;

document.addEventListener("submit", (event) => {
  const form = event.target;
  if (event.defaultPrevented || form.method === "dialog") return;
  if ((event.submitter?.dataset.confirm || form.dataset.confirm) && asked !== form) {
    event.preventDefault();
    askFirst(form, event.submitter);
    return;
  }
  asked = null;
  if (form.method === "post" && event.submitter?.matches(".button")) event.submitter.setAttribute("aria-busy", "true");
});

function askFirst(form, submitter) {
  if (!question) {
    if (window.confirm(submitter?.dataset.confirm || form.dataset.confirm)) { asked = form; form.requestSubmit(submitter); }
    return;
  }
  const [first, rest] = sentences(submitter?.dataset.confirm || form.dataset.confirm);
  question.querySelector("[data-question]").textContent = first;
  const more = question.querySelector("[data-question-more]");
  more.textContent = rest;
  more.hidden = !rest;
  const yes = question.querySelector("[value=yes]");
  // Red is for what can't be taken back.
  yes.classList.toggle("button-filled-danger", !submitter || submitter.matches(".button-danger, .quiet-danger"));
  yes.textContent = form.dataset.confirmYes || submitter?.textContent.trim() || yes.textContent;
  question.returnValue = "";
  question.showModal();
  question.addEventListener("close", () => {
    if (question.returnValue !== "yes") return;
    asked = form;
    form.requestSubmit(submitter);
  }, { once: true });
}

// The question itself, and what else there is to know.
function sentences(text) {
  const end = text.search(/\?\s/) + 1 || text.search(/[.!]\s/) + 1;
  return end ? [text.slice(0, end), text.slice(end).trim()] : [text, ""];
}

// A page that comes back from the browser's cache is not busy any more.
window.addEventListener("pageshow", () => {
  for (const button of document.querySelectorAll("[aria-busy=true]")) button.removeAttribute("aria-busy");
});

// Light, dark, or the system's.

const choices = document.querySelectorAll("[data-theme-choice]");
showTheme();

document.addEventListener("click", (event) => {
  const button = event.target.closest("[data-theme-choice]");
  if (!button) return;
  const chosen = button.dataset.themeChoice;
  if (chosen) document.documentElement.dataset.theme = chosen;
  else delete document.documentElement.dataset.theme;
  try {
    if (chosen) localStorage.setItem("theme", chosen);
    else localStorage.removeItem("theme");
  } catch {
    // No storage: it holds for this page.
  }
  showTheme();
});

function showTheme() {
  const chosen = document.documentElement.dataset.theme || "";
  for (const button of choices) button.setAttribute("aria-pressed", String(button.dataset.themeChoice === chosen));
}

// Where tabs are wider than the screen, the open one is scrolled into view, and the edge fades where there are more.
for (const tabs of document.querySelectorAll(".tabs")) {
  const fade = () => tabs.classList.toggle("goes-on", tabs.scrollWidth - tabs.clientWidth - Math.abs(tabs.scrollLeft) > 4);
  tabs.querySelector("[aria-current]")?.scrollIntoView({ block: "nearest", inline: "nearest" });
  tabs.addEventListener("scroll", fade, { passive: true });
  new ResizeObserver(fade).observe(tabs);
  document.fonts?.ready.then(fade);
}

// An empty date field is as pale as a placeholder.
const pale = (field) => field.toggleAttribute("data-empty", !field.value);
for (const field of document.querySelectorAll("input[type=date]")) pale(field);
for (const name of ["input", "change", "focusout"]) {
  document.addEventListener(name, (event) => { if (event.target.matches?.("input[type=date]")) pale(event.target); });
}

for (const field of document.querySelectorAll("[data-time-zone]")) {
  field.value = Intl.DateTimeFormat().resolvedOptions().timeZone || "UTC";
}
