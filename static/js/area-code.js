// The area code beside the order: what was typed is priced before anything is bought.

const area = document.getElementById("area");
const buy = document.querySelector("[data-buy]");

buy?.addEventListener("submit", (event) => {
  const typed = area.elements.area_code.value.trim();
  if (typed === (buy.elements.area_code?.value || "")) return;
  event.preventDefault();
  event.stopPropagation();  // so that the page doesn't mark it as busy
  area.requestSubmit();
});
