// The page of one verification: drawn anew by the server when there is news of it.
//
//   #live[data-verification=ID]      what is swapped (answered by this address with ?part=1); inside it
//     [data-status]                  the state that is drawn, on the first element that has it
//     [data-countdown=ISO TIME]      gets the time left (countdown.js)
//     form[data-cancel]              cancels by script. While it is too early its button counts down, in the words of
//                                    its data-wait="… {time}", and is aria-disabled: it keeps the focus, and so does
//                                    what a reader was at when the state is drawn anew
//     [data-cancel-words]            why not; [data-too-early] has the sentence for "too early"
//     [data-title]                   the title of the tab, once there is a code
//   #live-words                      a live region: the new state, and the code, for those who don't see them

import { countDown } from "./countdown.js";

const live = document.getElementById("live");
const words = document.getElementById("live-words");
const OPEN = ["requested", "waiting"];
let drawing = false;
let again = false;
let retryAt = 0;
let refusal = "";

const status = () => live.querySelector("[data-status]")?.dataset.status;

document.addEventListener("ringfence:verification", (event) => {
  if (event.detail.id === live.dataset.verification && differs(event.detail)) draw();
});
document.addEventListener("ringfence:notification", (event) => {
  const { notification_type: kind, link } = event.detail;
  if (kind === "verification_progress" && link.endsWith(live.dataset.verification)) draw();
});
document.addEventListener("ringfence:reset", () => draw());
document.addEventListener("ringfence:polled", (event) => {
  if (OPEN.includes(status()) && !event.detail.open.includes(live.dataset.verification)) draw();
});

// A page opened after the event shows it already, and is told of it again when it starts to listen.
function differs(news) {
  const shown = live.querySelector("[data-status]").dataset;
  return news.status !== shown.status
    || Boolean(news.cancelling) !== Boolean(shown.cancelling)
    || (news.code || "") !== (text("#code") || "")
    || (news.phone_number || "") !== (text("#number") || "")
    || news.messages !== live.querySelectorAll(".message-text").length;
}

function text(selector) {
  return live.querySelector(selector)?.textContent.trim();
}

async function draw() {
  if (drawing) { again = true; return; }
  drawing = true;
  do {
    again = false;
    try {
      const answer = await fetch(`${window.location.pathname}?part=1`, { cache: "no-store", credentials: "same-origin" });
      if (answer.ok) swap(await answer.text());
    } catch {
      // Offline: the socket tells of it again when it is back.
    }
  } while (again);
  drawing = false;
}

function swap(html) {
  const before = status();
  const fresh = new DOMParser().parseFromString(html, "text/html");
  const focused = live.contains(document.activeElement) ? document.activeElement : null;
  live.replaceChildren(...fresh.body.childNodes);
  if (focused) stay(focused);
  tick();
  const title = live.querySelector("[data-title]")?.dataset.title;
  if (title) document.title = title;
  if (status() !== before) words.textContent = [text(".pill"), text("#code"), text(".readout-done .waiting")].filter(Boolean).join(". ");
}

// At the same thing as before where it is still there, else at the news.
function stay(element) {
  const same = element.dataset.copy ? live.querySelector(`[data-copy="${element.dataset.copy}"]`)
    : element.closest("[data-cancel]") ? live.querySelector("[data-cancel] button")
    : [...live.querySelectorAll("a")].find((link) => link.href === element.href);
  if (same) { same.focus(); return; }
  live.tabIndex = -1;
  live.focus();
}

function tick() {
  countDown();
  const wait = Math.max(0, Math.ceil((retryAt - Date.now()) / 1000));
  const button = live.querySelector("[data-cancel] button");
  if (button) {
    button.setAttribute("aria-disabled", String(wait > 0));
    button.dataset.label ||= button.textContent;
    const time = `${Math.floor(wait / 60)}:${String(wait % 60).padStart(2, "0")}`;
    const shown = wait ? button.dataset.wait.replace("{time}", time) : button.dataset.label;
    if (button.textContent !== shown) button.textContent = shown;
  }
  const told = live.querySelector("[data-cancel-words]");
  if (told && told.textContent !== (wait ? refusal : "")) told.textContent = wait ? refusal : "";
}

live.addEventListener("submit", async (event) => {
  if (!event.target.matches("[data-cancel]")) return;
  event.preventDefault();
  const form = event.target;
  const button = form.querySelector("button");
  if (button.getAttribute("aria-disabled") === "true" || button.getAttribute("aria-busy") === "true") return;
  if (form.dataset.confirm) {
    event.stopPropagation();  // asked here, so not once more by the page
    if (!window.confirm(form.dataset.confirm)) return;
  }
  button.setAttribute("aria-busy", "true");
  try {
    const answer = await fetch(form.action, {
      method: "POST", body: new FormData(form), headers: { Accept: "application/json" }, credentials: "same-origin",
    });
    const body = await answer.json();
    if (answer.ok || body.code === "already_ended") { await draw(); return; }
    // How long it takes stands in the button, once.
    refusal = body.code === "too_early" ? form.parentElement.querySelector("[data-too-early]").dataset.tooEarly : body.detail;
    retryAt = Date.now() + (body.retry_after || 3) * 1000;
  } catch {
    form.submit();  // the plain way answers with a page, whatever went wrong
    return;
  }
  button.removeAttribute("aria-busy");
  tick();
});

tick();
setInterval(tick, 1000);
