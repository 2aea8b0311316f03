// The shop: shows when a request failed, and keeps the focus near where a favourite was.

const failed = document.getElementById("search-failed");
let pressed = "";

for (const name of ["htmx:sendError", "htmx:responseError", "htmx:timeout"]) {
  document.addEventListener(name, () => { failed.hidden = false; });
}
document.addEventListener("htmx:afterRequest", (event) => { if (event.detail.successful) failed.hidden = true; });

// A star among the favourites is removed with its row: the focus moves to the same service in the list below.
document.addEventListener("submit", (event) => { if (event.target.id === "stars") pressed = event.submitter?.id || ""; }, true);
document.addEventListener("htmx:configRequest", (event) => {
  if (event.detail.elt.id === "stars") event.detail.parameters.listed = document.getElementById(pressed.replace("kept-", "star-")) ? "1" : "0";
});
document.addEventListener("htmx:afterSettle", () => {
  if (!pressed || document.activeElement !== document.body) return;
  (document.getElementById(pressed.replace("kept-", "star-")) || document.getElementById("q"))?.focus();
  pressed = "";
});
