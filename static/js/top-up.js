// The top-up form: shows what will be paid as one types. The server reads the amount by the same
// rules (payments/forms.py); without scripts it alone does.
//
//   form[data-top-up]     has radio buttons `choice` (cents) and a text field `amount`
//   [data-will-pay]       gets the sentence; the others come in its data-…-error

import { formatMoney } from "./balance.js";

const form = document.querySelector("[data-top-up]");
const sentence = form.querySelector("[data-will-pay]");
const field = form.elements.amount;
const { willPay, amountError, commaError, rangeError, least, most } = sentence.dataset;

/** Returns whole cents, or the sentence that says what is wrong with the amount. */
function read(typed) {
  const amount = typed.trim().replace(/^\$/, "").trim();
  if (!amount) return Number(form.elements.choice.value);
  if (amount.includes(",") && !/^\d{1,3}(,\d{3})+\.\d{1,2}$/.test(amount)) return commaError;
  const plain = amount.replaceAll(",", "");
  if (!/^\d{1,15}(\.\d{1,2})?$/.test(plain)) return amountError;
  const [whole, cents = ""] = plain.split(".");
  return Number(whole) * 100 + Number(cents.padEnd(2, "0"));
}

function show() {
  const cents = read(field.value);
  const fits = typeof cents === "number" && cents >= Number(least) && cents <= Number(most);
  const text = fits ? willPay.replace("{amount}", formatMoney(cents / 100)) : typeof cents === "number" ? rangeError : cents;
  sentence.hidden = false;
  sentence.classList.toggle("error", !fits);
  if (sentence.textContent !== text) sentence.textContent = text;
}

// The server's error is shown until something else is typed.
const refused = document.getElementById("amount-error");
function changed() {
  refused?.remove();
  field.removeAttribute("aria-invalid");
  show();
}
form.addEventListener("input", changed);
// A page from the browser's cache keeps what was typed; and one may type before this script is loaded.
window.addEventListener("pageshow", () => {
  if (field.value !== field.defaultValue) changed();
  else if (!refused?.isConnected) show();
});
