// Shows on top of the page why it can't be up to date: offline, or signed out.

const offline = document.getElementById("offline");
const signedOut = document.getElementById("signed-out");
const PATIENCE = 1500;
let due = null;

document.addEventListener("ringfence:state", (event) => showOffline(event.detail.state === "offline"));
window.addEventListener("offline", () => showOffline(true));
window.addEventListener("online", () => showOffline(false));
document.addEventListener("ringfence:signed-out", () => {
  showOffline(false);
  if (signedOut) signedOut.hidden = false;
});

// A short interruption is not shown.
function showOffline(isOffline) {
  clearTimeout(due);
  if (!offline) return;
  if (isOffline && signedOut?.hidden !== false) due = setTimeout(() => { offline.hidden = signedOut?.hidden === false; }, PATIENCE);
  else offline.hidden = true;
}

if (!navigator.onLine) showOffline(true);
