// <time data-relative datetime=…>: "2 minutes ago" while it is fresh, with the server's words as its title.

const FRESH = 12 * 3600;
const words = new Intl.RelativeTimeFormat(document.documentElement.lang || "en", { numeric: "auto" });

function show() {
  for (const element of document.querySelectorAll("time[data-relative]")) {
    element.title ||= element.textContent.trim();
    const ago = (Date.now() - Date.parse(element.dateTime)) / 1000;
    const text = ago > FRESH || ago < -60 ? element.title : said(Math.max(0, ago));
    if (element.textContent !== text) element.textContent = text;
  }
}

function said(seconds) {
  if (seconds < 45) return words.format(0, "second");
  if (seconds < 3600) return words.format(-Math.max(1, Math.round(seconds / 60)), "minute");
  return words.format(-Math.round(seconds / 3600), "hour");
}

show();
setInterval(show, 20_000);
// Lists are loaded again while the page is open.
const main = document.getElementById("main");
const isNewContent = (change) => change.addedNodes.length && change.target.nodeName !== "TIME";
if (main) {
  new MutationObserver((changes) => { if (changes.some(isNewContent)) show(); }).observe(main, { childList: true, subtree: true });
}
