// The amounts on the page. Order is decided before they come here (session.js).

const format = new Intl.NumberFormat(document.documentElement.lang || "en", {
  style: "currency", currency: document.body.dataset.currency || "USD",
});

export function showBalance({ balance, available }) {
  for (const element of document.querySelectorAll("[data-balance]")) element.textContent = format.format(balance);
  for (const element of document.querySelectorAll("[data-available]")) element.textContent = format.format(available);
}
