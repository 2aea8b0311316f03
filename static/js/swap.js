// Fetching a page and replacing parts of this one by it, with the focus where it was.

/** The document at an address, or null: offline, signed out, or an error of the server's. */
export async function fetchPage(address) {
  try {
    const answer = await fetch(address, { cache: "no-store", credentials: "same-origin" });
    if (!answer.ok || answer.redirected) return null;
    return new DOMParser().parseFromString(await answer.text(), "text/html");
  } catch {
    return null;
  }
}

/**
 * Replaces what is in `part`. An element in it that has the focus is remembered first: `remember(part, element)` returns
 * the function that focuses what takes its place.
 */
export function replace(part, nodes, remember = rememberSame) {
  const focused = part.contains(document.activeElement) ? document.activeElement : null;
  const refocus = focused ? remember(part, focused) : null;
  part.replaceChildren(...nodes);
  refocus?.();
}

/** For `replace`: focuses the same button or link, if there is one. */
export function rememberSame(part, element) {
  return () => same(part, element)?.focus();
}

/** What is now in `part` for an element that was there: by what it copies, its id, or its address. */
export function same(part, element) {
  if (element.dataset.copy) return part.querySelector(`[data-copy="${element.dataset.copy}"]`);
  if (element.id) return part.querySelector(`#${CSS.escape(element.id)}`);
  const address = element.getAttribute("href");
  return address === null ? null : [...part.querySelectorAll("a")].find((link) => link.getAttribute("href") === address);
}

/** A function that runs `work`, one at a time: called meanwhile, it runs again afterwards, so the newest answer stays. */
export function oneAtATime(work) {
  let running = false;
  let again = false;
  return async () => {
    again = true;
    if (running) return;
    running = true;
    try {
      while (again) {
        again = false;
        await work();
      }
    } finally {
      running = false;
    }
  };
}
