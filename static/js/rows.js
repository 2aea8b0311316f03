// Moving among the rows of a list by the arrow keys.

/** Moves the focus among the rows in `box`. Returns whether the key was for that. */
export function moveAmongRows(box, event) {
  const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
  if (!step || event.ctrlKey || event.metaKey || event.altKey || event.shiftKey) return false;
  const rows = [...box.querySelectorAll(".inbox-row > .list-row")];
  const here = rows.indexOf(document.activeElement.closest?.(".inbox-row")?.querySelector(".list-row"));
  const next = rows[here < 0 ? (step > 0 ? 0 : rows.length - 1) : here + step];
  if (!next) return false;
  event.preventDefault();
  next.focus();
  return true;
}
