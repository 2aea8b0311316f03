// Every [data-countdown=ISO TIME] shows the time left until then as m:ss.

export function countDown() {
  for (const element of document.querySelectorAll("[data-countdown]")) {
    const left = Math.max(0, Math.round((Date.parse(element.dataset.countdown) - Date.now()) / 1000));
    element.textContent = `${Math.floor(left / 60)}:${String(left % 60).padStart(2, "0")}`;
  }
}

countDown();
setInterval(countDown, 1000);
