"""The mail page: messages that Django's file-based e-mail backend wrote, newest first."""

import re
from dataclasses import dataclass
from email import message_from_bytes, policy
from email.message import EmailMessage
from html import escape, unescape
from pathlib import Path
from typing import Any

from aiohttp import web

from dev.sandbox.page import page
from dev.sandbox.sandbox import SANDBOX, Sandbox

SEPARATOR = re.compile(rb"^-{79}\n", re.MULTILINE)  # what the backend writes after each message
LINK = re.compile(r"https?://[^\s<>\"]+[^\s<>\".,;:!?)\]]")


@dataclass(frozen=True)
class Mail:
    id: str
    to: str
    sender: str
    subject: str
    sent: str
    text: str
    html: str

    @property
    def links(self) -> list[str]:
        in_html = [unescape(link) for link in re.findall(r'href="(https?://[^"]+)"', self.html)]
        return list(dict.fromkeys(LINK.findall(self.text) + in_html))


_parsed: dict[tuple[str, int, int], list[Mail]] = {}


def routes() -> list[web.RouteDef]:
    return [web.get("/mail", listing), web.get("/mail/{id}", detail)]


def messages(sandbox: Sandbox) -> list[Mail]:
    """Return all messages since the last reset, newest first."""
    folder = sandbox.config.mail_dir
    if folder is None or not folder.is_dir():
        return []
    files = []
    for path in folder.glob("*.log"):
        try:
            stat = path.stat()
        except FileNotFoundError:
            continue
        files.append((stat.st_mtime_ns, path, stat.st_size))
    found = [mail for changed, path, size in sorted(files) for mail in _read(path, changed, size)]
    forgotten = set(sandbox.state.forgotten_mail)
    return [mail for mail in reversed(found) if mail.id not in forgotten]


def _read(path: Path, changed: int, size: int) -> list[Mail]:
    key = (str(path), changed, size)
    if key not in _parsed:
        parts = [part for part in SEPARATOR.split(path.read_bytes()) if part.strip()]
        _parsed[key] = [_parse(f"{path.stem}-{place}", part) for place, part in enumerate(parts)]
    return _parsed[key]


def _parse(mail_id: str, raw: bytes) -> Mail:
    message = message_from_bytes(raw, EmailMessage, policy=policy.default)
    return Mail(
        id=mail_id,
        to=str(message.get("To", "")),
        sender=str(message.get("From", "")),
        subject=str(message.get("Subject", "")),
        sent=str(message.get("Date", "")),
        text=_content(message, "plain"),
        html=_content(message, "html"),
    )


def _content(message: EmailMessage, kind: str) -> str:
    part = message.get_body(preferencelist=(kind,))
    return str(part.get_content()).replace("\r\n", "\n").strip() if part else ""


async def listing(request: web.Request) -> web.StreamResponse:
    found = messages(request.app[SANDBOX])
    if request.query.get("format") == "json":
        return web.json_response({"messages": [_json(mail) for mail in found]})
    rows = "".join(
        f'<li><a href="/mail/{escape(mail.id)}"><b>{escape(mail.subject) or "(no subject)"}</b>'
        f"<span>{escape(mail.to)}</span><small>{escape(mail.sent)}</small></a></li>"
        for mail in found
    )
    body = f'<ul class="mail">{rows}</ul>' if rows else "<p>No mail yet. Messages appear here as they are sent.</p>"
    return page("Mail", f"<h1>Mail</h1>{body}")


async def detail(request: web.Request) -> web.StreamResponse:
    for mail in messages(request.app[SANDBOX]):
        if mail.id == request.match_info["id"]:
            break
    else:
        return page("Not found", '<h1>No such message</h1><p><a href="/mail">All mail</a></p>', status=404)
    if request.query.get("format") == "json":
        return web.json_response(_json(mail))
    frame = (
        f'<h2>HTML</h2><iframe title="The message as HTML" sandbox srcdoc="{escape(mail.html)}"></iframe>'
        if mail.html
        else ""
    )
    only_html = "\n".join(["This message has no text part. Its links:", *mail.links])
    return page(
        mail.subject,
        f'<p><a href="/mail">All mail</a></p><h1>{escape(mail.subject)}</h1>'
        f"<dl><dt>To</dt><dd>{escape(mail.to)}</dd><dt>From</dt><dd>{escape(mail.sender)}</dd>"
        f"<dt>Sent</dt><dd>{escape(mail.sent)}</dd></dl><pre>{_clickable(mail.text or only_html)}</pre>{frame}",
    )


def _json(mail: Mail) -> dict[str, Any]:
    return {
        "id": mail.id,
        "to": mail.to,
        "from": mail.sender,
        "subject": mail.subject,
        "sent": mail.sent,
        "text": mail.text,
        "html": mail.html,
        "links": mail.links,
    }


def _clickable(text: str) -> str:
    pieces, end = [], 0
    for link in LINK.finditer(text):
        address = escape(link[0])
        pieces += [escape(text[end : link.start()]), f'<a href="{address}">{address}</a>']
        end = link.end()
    return "".join([*pieces, escape(text[end:])])
