// Light or dark, before the page is drawn: no module, since those wait. What was chosen outlives the page; nothing
// chosen is what the system says. The buttons: <button data-theme-choice="light|dark|"> (page.js).
(() => {
  let chosen = "";
  try {
    chosen = localStorage.getItem("theme") || "";
  } catch {
    // No storage: the system decides.
  }
  if (chosen === "light" || chosen === "dark") document.documentElement.dataset.theme = chosen;
})();
