// Says on top of the page when it can't be up to date: no line, or no session any more.

const offline = document.getElementById("offline");
const signedOut = document.getElementById("signed-out");
const PATIENCE = 1500;
let due = null;

document.addEventListener("ringfence:state", (event) => tell(event.detail.state === "offline"));
window.addEventListener("offline", () => tell(true));
window.addEventListener("online", () => tell(false));
document.addEventListener("ringfence:signed-out", () => {
  tell(false);
  if (signedOut) signedOut.hidden = false;
});

// A line that is back in a moment is not worth a word.
function tell(gone) {
  clearTimeout(due);
  if (!offline) return;
  if (gone && signedOut?.hidden !== false) due = setTimeout(() => { offline.hidden = signedOut?.hidden === false; }, PATIENCE);
  else offline.hidden = true;
}

if (!navigator.onLine) tell(true);
