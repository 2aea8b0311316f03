// The number at the bell.

export function showBadge(unread) {
  for (const element of document.querySelectorAll("[data-unread-badge]")) {
    element.textContent = unread > 99 ? "99+" : String(unread);
    element.hidden = unread === 0;
  }
}
