// Every [data-countdown=ISO TIME] shows the time left until then as m:ss (in its own words, where it has
// [data-countdown-words="{time} left"]), and every ring that stands beside it
// (circle[data-countdown-ring=BEGIN][data-until=END][pathLength=100]) what part of it is left.

export function countDown() {
  for (const element of document.querySelectorAll("[data-countdown]")) {
    const left = Math.max(0, Math.round((Date.parse(element.dataset.countdown) - Date.now()) / 1000));
    const time = `${Math.floor(left / 60)}:${String(left % 60).padStart(2, "0")}`;
    element.textContent = (element.dataset.countdownWords || "{time}").replace("{time}", time);
  }
  for (const ring of document.querySelectorAll("[data-countdown-ring]")) {
    const [begin, end] = [Date.parse(ring.dataset.countdownRing), Date.parse(ring.dataset.until)];
    const left = end > begin ? Math.min(1, Math.max(0, (end - Date.now()) / (end - begin))) : 0;
    ring.setAttribute("stroke-dashoffset", String(100 * (1 - left)));
  }
}

countDown();
setInterval(countDown, 1000);
