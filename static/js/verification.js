// The page of one verification: loaded again when something happened to it.
//
//   #live[data-verification=ID]      the part that is replaced (by this address with ?part=1); inside it
//     [data-status]                  the status that is shown, on the first element that has it
//     [data-countdown=ISO TIME]      gets the time left (countdown.js)
//     form[data-cancel]              cancels by script. While it is too early its button counts down, by its
//                                    data-wait="… {time}", and is aria-disabled: it keeps the focus
//     [data-cancel-words]            says why not; its data-too-early is the sentence for "too early"
//     [data-title]                   the title of the tab, once there is a code
//   #live-words                      a live region: the new state, and the code, for those who don't see them

import { countDown } from "./countdown.js";
import { fetchPage, oneAtATime, replace, same } from "./swap.js";

const live = document.getElementById("live");
const words = document.getElementById("live-words");
const OPEN = ["requested", "waiting"];
let retryAt = 0;
let refusal = "";

const status = () => live.querySelector("[data-status]")?.dataset.status;

document.addEventListener("ringfence:verification", (event) => {
  if (event.detail.id === live.dataset.verification && differs(event.detail)) refresh();
});
document.addEventListener("ringfence:notification", (event) => {
  const { notification_type: kind, link } = event.detail;
  if (kind === "verification_progress" && link.endsWith(live.dataset.verification)) refresh();
});
document.addEventListener("ringfence:reset", () => refresh());
document.addEventListener("ringfence:polled", (event) => {
  if (OPEN.includes(status()) && !event.detail.open.includes(live.dataset.verification)) refresh();
});

// A page that was opened after the event shows it already, and gets it again when it subscribes.
function differs(frame) {
  const shown = live.querySelector("[data-status]").dataset;
  return frame.status !== shown.status
    || Boolean(frame.cancelling) !== Boolean(shown.cancelling)
    || (frame.code || "") !== (text("#code") || "")
    || (frame.phone_number || "") !== (text("#number") || "")
    || frame.messages !== live.querySelectorAll(".message-text").length;
}

function text(selector) {
  return live.querySelector(selector)?.textContent.trim();
}

const refresh = oneAtATime(async () => {
  const fresh = await fetchPage(`${window.location.pathname}?part=1`);
  if (!fresh) return;
  const before = status();
  replace(live, fresh.body.childNodes, rememberOrStart);
  tick();
  const title = live.querySelector("[data-title]")?.dataset.title;
  if (title) document.title = title;
  if (status() !== before) words.textContent = [text(".pill"), text("#code"), text(".readout-done .waiting")].filter(Boolean).join(". ");
});

// Focuses the same thing as before where it is still there, else what is new.
function rememberOrStart(_part, element) {
  return () => {
    const next = element.closest("[data-cancel]") ? live.querySelector("[data-cancel] button") : same(live, element);
    if (next) { next.focus(); return; }
    live.tabIndex = -1;
    live.focus();
  };
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
  const reason = live.querySelector("[data-cancel-words]");
  if (reason && reason.textContent !== (wait ? refusal : "")) reason.textContent = wait ? refusal : "";
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
    if (answer.ok || body.code === "already_ended") { await refresh(); return; }
    // The button shows how long it takes.
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
