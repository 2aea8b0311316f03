"""The layout of the sandbox's own pages. They stand for a vendor's, so they share nothing with the product's."""

from html import escape

from aiohttp import web

STYLE = """
:root { color-scheme: light dark; --ink: #1a1f36; --soft: #4f566b; --line: #c9ced8; --back: #f6f8fa; --card: #fff;
  --act: #4338ca; --bad: #a3122b; --good: #0a5c36 }
@media (prefers-color-scheme: dark) { :root { --ink: #f2f4f8; --soft: #b6bdcc; --line: #4a5168; --back: #12141c;
  --card: #1c1f2b; --act: #8e8bff; --bad: #ff9aa8; --good: #7fdcab } }
* { box-sizing: border-box }
body { margin: 0; background: var(--back); color: var(--ink); font: 1rem/1.5 system-ui, sans-serif }
main { max-width: 34rem; margin: 0 auto; padding: 1.5rem 1rem 4rem }
main.card { max-width: 26rem }
.card > section { background: var(--card); border: 1px solid var(--line); border-radius: .75rem; padding: 1.25rem }
h1 { font-size: 1.25rem; margin: 0 0 .5rem; overflow-wrap: anywhere } h2 { font-size: 1rem }
.amount { font-size: 2.25rem; font-weight: 650; margin: 0 0 1rem } .soft, small, dt { color: var(--soft) }
label { display: block; font-weight: 600; margin: .75rem 0 .25rem }
input { width: 100%; padding: .7rem; font: inherit; color: inherit; background: var(--back);
  border: 1px solid var(--line); border-radius: .5rem }
.pair { display: grid; grid-template-columns: 1fr 1fr; gap: .75rem }
button { width: 100%; min-height: 2.9rem; margin-top: 1rem; font: inherit; font-weight: 600; border-radius: .5rem;
  border: 1px solid var(--act); background: var(--act); color: var(--card); cursor: pointer }
button.plain { background: none; color: var(--act) }
a { color: var(--act) } a, button, input { outline-offset: 2px }
:focus-visible { outline: 3px solid var(--act) }
[role=alert] { border-left: 4px solid var(--bad); color: var(--bad); padding: .25rem .75rem; margin: 0 0 1rem }
.done { color: var(--good) } .test { text-align: center; font-size: .875rem; color: var(--soft) }
ul.mail { list-style: none; padding: 0 } ul.mail a { display: grid; padding: .75rem 0; text-decoration: none;
  border-bottom: 1px solid var(--line); overflow-wrap: anywhere }
pre { white-space: pre-wrap; overflow-wrap: anywhere; background: var(--card); border: 1px solid var(--line);
  border-radius: .5rem; padding: 1rem } iframe { width: 100%; height: 32rem; border: 1px solid var(--line);
  background: #fff } dl { display: grid; grid-template-columns: 4rem 1fr; gap: .25rem } dd { margin: 0;
  overflow-wrap: anywhere }
"""


def page(title: str, body: str, *, status: int = 200, kind: str = "") -> web.Response:
    """Return a whole page. `body` is HTML, escaped by the caller."""
    text = (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title>'
        f'<meta name="viewport" content="width=device-width, initial-scale=1"><link rel="icon" href="data:,">'
        f'<style>{STYLE}</style></head><body><main class="{kind}">{body}</main></body></html>'
    )
    headers = {
        "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; img-src https: data:",
        "Cache-Control": "no-store",
    }
    return web.Response(text=text, status=status, content_type="text/html", headers=headers)
