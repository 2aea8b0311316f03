// The notifications' page: drawn anew by the server when one comes, or was read elsewhere.

const NEWS = ["ringfence:notification", "ringfence:unread", "ringfence:reset"];
let due = null;

for (const name of NEWS) {
  document.addEventListener(name, () => {
    if (due) return;
    due = setTimeout(refresh, 150);
  });
}

async function refresh() {
  due = null;
  const answer = await fetch(window.location.href);
  if (!answer.ok) return;
  const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
  const [now, next] = [document.getElementById("inbox"), fresh.getElementById("inbox")];
  if (now && next && !now.contains(document.activeElement)) now.replaceChildren(...next.childNodes);
}
