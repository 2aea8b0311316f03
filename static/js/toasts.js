// Short messages in the corner: critical and high ones, each once, at most four at a time, the others after them.
// They stay while they are pointed at or focused, and close by their button or Escape. The page of a verification shows
// its own notifications itself: a toast would cover the code that it announces.

const MOST = 4;
const SECONDS = { critical: 12, high: 7 };
const seen = new Set();
const queue = [];
let shown = 0;

export function toast(notification) {
  if (!SECONDS[notification.priority] || notification.is_read || seen.has(notification.seq)) return;
  if (notification.priority === "high" && isShownByPage(notification.link)) return;
  seen.add(notification.seq);
  queue.push(notification);
  next();
}

function isShownByPage(link) {
  const here = document.querySelector("[data-verification]") && window.location;
  return Boolean(here && link) && new URL(link, here.href).pathname === here.pathname;
}

function next() {
  while (shown < MOST && queue.length) {
    const notification = queue.shift();
    const kind = notification.priority === "critical" ? "assertive" : "polite";
    const region = document.querySelector(`#toasts [data-toasts="${kind}"]`) || document.getElementById("toasts");
    if (!region) return;
    shown += 1;
    region.append(draw(notification));
  }
}

function draw(notification) {
  const box = document.createElement("div");
  box.className = "toast";
  box.dataset.priority = notification.priority;
  box.dataset.seq = notification.seq;

  const icon = document.createElement("span");
  icon.textContent = notification.icon;
  icon.setAttribute("aria-hidden", "true");

  const words = document.createElement("div");
  words.className = "grow";
  const title = document.createElement(notification.link ? "a" : "span");
  if (notification.link) title.href = notification.link;
  title.textContent = notification.title;
  const heading = document.createElement("p");
  heading.className = "title";
  heading.append(title);
  const message = document.createElement("p");
  message.textContent = notification.message;
  words.append(heading, message);

  const close = document.createElement("button");
  close.type = "button";
  close.className = "icon-button";
  close.textContent = "×";
  close.setAttribute("aria-label", document.getElementById("toasts").dataset.dismiss || "Dismiss");

  box.append(icon, words, close);
  let timer = null;
  let gone = false;
  const leave = () => {
    if (gone) return;
    gone = true;
    clearTimeout(timer);
    box.remove();
    shown -= 1;
    next();
  };
  const wait = () => clearTimeout(timer);
  const count = () => {
    clearTimeout(timer);
    if (!box.matches(":hover") && !box.contains(document.activeElement)) timer = setTimeout(leave, SECONDS[notification.priority] * 1000);
  };
  close.addEventListener("click", leave);
  box.addEventListener("keydown", (event) => { if (event.key === "Escape") leave(); });
  box.addEventListener("pointerenter", wait);
  box.addEventListener("pointerleave", count);
  box.addEventListener("focusin", wait);
  box.addEventListener("focusout", () => setTimeout(count));
  count();
  return box;
}
