// What every page does by itself: copying, asking once before something is lost, the reader's time zone.

document.addEventListener("click", async (event) => {
  const button = event.target.closest("[data-copy]");
  if (!button) return;
  const source = document.querySelector(button.dataset.copy);
  if (!source) return;
  await copy((source.dataset.value || source.textContent).trim());
  const label = button.querySelector("[data-copy-label]") || button;
  const before = label.textContent;
  label.textContent = button.dataset.copied || "Copied";
  setTimeout(() => { label.textContent = before; }, 1600);
});

async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    // Without a secure context the clipboard is out of reach: the old way through a selected field.
    const field = Object.assign(document.createElement("textarea"), { value: text });
    document.body.append(field);
    field.select();
    document.execCommand("copy");
    field.remove();
  }
}

document.addEventListener("submit", (event) => {
  const question = event.target.dataset.confirm;
  if (question && !window.confirm(question)) event.preventDefault();
});

for (const field of document.querySelectorAll("[data-time-zone]")) {
  field.value = Intl.DateTimeFormat().resolvedOptions().timeZone || "UTC";
}
