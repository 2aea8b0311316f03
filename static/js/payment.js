// The page of a payment: loads it again when its status changed.

const page = document.querySelector("[data-payment]");

document.addEventListener("ringfence:payment", (event) => {
  const { reference, status } = event.detail;
  if (!page || reference !== page.dataset.payment || status === page.dataset.status) return;
  window.location.replace(window.location.pathname);
});
