"""Faults on demand at the vendors' paths, never at those of the control API."""

import asyncio
import json
import re
from collections.abc import Awaitable, Callable
from typing import Any

from aiohttp import web

from dev.sandbox.sandbox import SANDBOX, Fault, Sandbox, WasReset

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

VENDORS = ("/textverified/", "/stripe/", "/paystack/", "/checkout/")
KINDS = (
    "drop_before",
    "drop_after",
    "hang",
    "hang_after",
    "error_500",
    "error_500_after",
    "html_502",
    "throttle_429",
    "unauthorized_401",
    "forbidden_403",
    "html_4xx",
    "truncated",
)
# A proxy in between may answer any 4xx without the vendor's error code: a page of HTML, or an empty body.
_PROXY = re.compile(r"(html|empty)_(4\d\d)")
HANG_SECONDS = 60
HTML_4XX = "<html><head><title>Blocked</title></head><body><h1>This request was blocked.</h1></body></html>"
HTML_502 = "<html><head><title>502 Bad Gateway</title></head><body><h1>502 Bad Gateway</h1></body></html>"


def parse(data: dict[str, Any]) -> Fault:
    """Return the fault that `{match, fault, times?, body?}` describes. Raises ValueError with a sentence."""
    match, kind, times, body = data.get("match"), data.get("fault"), data.get("times", 1), data.get("body", "")
    if not isinstance(match, str) or not isinstance(kind, str) or not isinstance(body, str):
        raise ValueError("Give match (a regular expression) and fault (its name), both as text, and body as text too.")
    pattern, inside = _compiled("match", match), _compiled("body", body) if body else None
    if isinstance(times, bool) or not isinstance(times, int) or times < 1:
        raise ValueError("times has to be a whole number from 1 up.")
    name, _, argument = kind.partition(":")
    if name == "slow":
        try:
            seconds = float(argument)
        except ValueError:
            seconds = -1.0
        if not 0 <= seconds <= 600:
            raise ValueError("slow needs seconds between 0 and 600, as in slow:2.5.")
        return Fault(pattern, "slow", times, seconds, inside)
    if kind not in KINDS and not _PROXY.fullmatch(kind):
        raise ValueError(
            f"There is no fault {kind}. Choose one of: {', '.join(KINDS)}, html_NNN, empty_NNN, slow:SECONDS."
        )
    return Fault(pattern, kind, times, body=inside)


def _compiled(name: str, expression: str) -> re.Pattern[str]:
    try:
        return re.compile(expression)
    except re.error as error:
        raise ValueError(f"{name} is not a regular expression: {error}.") from None


@web.middleware
async def vendor_middleware(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Log the request, then handle it, or apply the first fault that matches."""
    if not request.path.startswith(VENDORS):
        return await handler(request)
    sandbox = request.app[SANDBOX]
    body = (await request.text()) if request.can_read_body else ""
    fault = _next(sandbox, f"{request.method} {request.path}", body)
    entry: dict[str, Any] = {
        "method": request.method,
        "path": request.path,
        "query": request.query_string,
        "body": body,
        "key": request.headers.get("Idempotency-Key"),
        "fault": fault.kind if fault else None,
        "status": None,
    }
    sandbox.log.append(entry)
    try:
        if sandbox.settings.latency_ms and not _buys(request):
            await sandbox.pause(sandbox.settings.latency_ms / 1000)
        response = await (_misbehave(sandbox, fault, request, handler) if fault else _handle(request, handler))
    except WasReset:
        response = _close(request)
    entry["status"] = response.status
    return response


def _buys(request: web.Request) -> bool:
    """Return whether this is a purchase, which waits for the latency itself, while its key is claimed."""
    return request.method == "POST" and request.path.endswith("/verifications") and "/pricing/" not in request.path


def _next(sandbox: Sandbox, line: str, body: str) -> Fault | None:
    for fault in sandbox.faults:
        if fault.match.search(line) and (fault.body is None or fault.body.search(body)):
            fault.times -= 1
            if fault.times == 0:
                sandbox.faults.remove(fault)
            return fault
    return None


async def _handle(request: web.Request, handler: Handler) -> web.StreamResponse:
    try:
        return await handler(request)
    except web.HTTPException as refusal:  # an unknown path or method
        return web.Response(status=refusal.status, text=refusal.reason)


async def _misbehave(sandbox: Sandbox, fault: Fault, request: web.Request, handler: Handler) -> web.StreamResponse:
    kind = fault.kind
    if kind == "slow":
        await sandbox.pause(fault.seconds)
        return await _handle(request, handler)
    if kind.endswith("_after"):
        await _handle(request, handler)
    if kind.startswith("hang"):
        await _until_gone(sandbox, request)
    if kind.startswith(("hang", "drop")):
        return _close(request)
    if kind == "truncated":
        return _truncated(await _handle(request, handler))
    if kind == "forbidden_403":
        return web.json_response({"message": "Forbidden"}, status=403)
    if kind == "html_4xx":
        kind = "html_400"
    if proxy := _PROXY.fullmatch(kind):
        page = HTML_4XX if proxy[1] == "html" else ""
        return web.Response(status=int(proxy[2]), text=page, content_type="text/html" if page else "text/plain")
    status = {"error_500": 500, "error_500_after": 500, "html_502": 502, "throttle_429": 429, "unauthorized_401": 401}
    return _error(request, status[kind], html=kind == "html_502")


async def _until_gone(sandbox: Sandbox, request: web.Request) -> None:
    """Wait until the client disconnects, the sandbox is reset or stops, at most a minute."""
    released = asyncio.Event()
    sandbox.hung.add(released)
    loop = asyncio.get_running_loop()
    deadline = loop.time() + HANG_SECONDS
    try:
        while not released.is_set() and loop.time() < deadline:
            if request.transport is None or request.transport.is_closing():
                return
            await asyncio.sleep(0.05)
    finally:
        sandbox.hung.discard(released)


def _truncated(whole: web.StreamResponse) -> web.Response:
    """Return only the first row of a list (still valid JSON), and half the bytes of anything else."""
    content = whole.body if isinstance(whole, web.Response) and isinstance(whole.body, bytes) else b""
    try:
        rows = json.loads(content)
    except ValueError:
        rows = None
    short = json.dumps(rows[:1]).encode() if isinstance(rows, list) else content[: len(content) // 2]
    return web.Response(status=whole.status, body=short, content_type="application/json")


def _close(request: web.Request) -> web.StreamResponse:
    """Close the connection without an answer. The response that is returned is never sent."""
    if request.transport is not None:
        request.transport.close()
    return web.Response(status=500, text="never sent")


def _error(request: web.Request, status: int, *, html: bool) -> web.Response:
    headers = {"Retry-After": "1"} if status == 429 else {}
    if html:
        return web.Response(status=status, text=HTML_502, content_type="text/html")
    if request.path.startswith("/stripe/"):
        kind = {401: "invalid_request_error", 429: "rate_limit_error"}.get(status, "api_error")
        error: dict[str, str] = {"type": kind, "message": f"The sandbox was asked to answer {status}."}
        if status == 429:
            error["code"] = "rate_limit"
        return web.json_response({"error": error}, status=status, headers=headers)
    if status == 500:
        return web.Response(status=status, text=json.dumps("Internal Server Error"), headers=headers)
    return web.Response(status=status, headers=headers)
