// The shop's search: says so when it could not ask.

const failed = document.getElementById("search-failed");

for (const name of ["htmx:sendError", "htmx:responseError", "htmx:timeout"]) {
  document.addEventListener(name, () => { failed.hidden = false; });
}
document.addEventListener("htmx:afterSwap", () => { failed.hidden = true; });
