// The number of unread notifications at the bell and in the menu.

export function showBadge(unread) {
  for (const element of document.querySelectorAll("[data-unread-badge], [data-unread-count]")) {
    element.textContent = unread > 99 ? "99+" : String(unread);
    element.hidden = unread === 0;
  }
}
