// The first page: its two lists are drawn anew by the server when there is news of them.

const NEWS = ["ringfence:verification", "ringfence:balance", "ringfence:reset"];
let due = null;

for (const name of NEWS) {
  document.addEventListener(name, () => {
    if (due) return;
    due = setTimeout(refresh, 150);
  });
}

async function refresh() {
  due = null;
  const answer = await fetch("/", { headers: { "X-Requested-With": "fetch" } });
  if (!answer.ok) return;
  const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
  for (const id of ["running", "recent-money"]) {
    const [now, next] = [document.getElementById(id), fresh.getElementById(id)];
    if (now && next && now.innerHTML !== next.innerHTML) now.replaceChildren(...next.childNodes);
  }
}
