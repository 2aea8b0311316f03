// The amounts on the page. session.js decides which are the newest.

const format = new Intl.NumberFormat(document.documentElement.lang || "en", {
  style: "currency", currency: document.body.dataset.currency || "USD",
});

/** 4.99 -> "$4.99" */
export function formatMoney(amount) {
  return format.format(amount);
}

// Sets all three at once, so that they always add up.
export function showBalance({ balance, available }) {
  const held = Math.round((balance - available) * 100) / 100;
  for (const [name, amount] of Object.entries({ balance, available, held })) {
    for (const element of document.querySelectorAll(`[data-${name}]`)) element.textContent = formatMoney(amount);
  }
}
