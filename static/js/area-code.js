// The area code beside the order: what was typed and not priced yet is priced before anything is bought.

const area = document.getElementById("area");
const buy = document.querySelector("[data-buy]");

buy?.addEventListener("submit", (event) => {
  const typed = area.elements.area_code.value.trim();
  if (typed === (buy.elements.area_code?.value || "")) return;
  event.preventDefault();
  event.stopPropagation();  // nothing is under way
  area.requestSubmit();
});
