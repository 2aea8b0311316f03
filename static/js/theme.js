// Light or dark, before the page is rendered: no module, since those are deferred. The choice is stored; without one the
// system's applies. The buttons: <button data-theme-choice="light|dark|"> (page.js).
(() => {
  let chosen = "";
  try {
    chosen = localStorage.getItem("theme") || "";
  } catch {
    // No storage: the system decides.
  }
  if (chosen === "light" || chosen === "dark") document.documentElement.dataset.theme = chosen;
})();
