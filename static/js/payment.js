// The payment's page: shows the new state as soon as the news of it comes.

const page = document.querySelector("[data-payment]");

document.addEventListener("ringfence:payment", (event) => {
  const news = event.detail;
  if (page && news.reference === page.dataset.payment && news.status !== page.dataset.status) window.location.replace(window.location.pathname);
});
