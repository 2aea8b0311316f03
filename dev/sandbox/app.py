"""Create the sandbox's application. A new vendor is a module with `routes()`, and its part of the state."""

import logging

from aiohttp import web

from dev.sandbox import checkout, control, mail, numbers, payments, stripe, textverified
from dev.sandbox.config import SandboxConfig
from dev.sandbox.faults import vendor_middleware
from dev.sandbox.sandbox import SANDBOX, Sandbox

log = logging.getLogger("sandbox")

MODULES = (textverified, stripe, checkout, mail, control)


def create_app(config: SandboxConfig) -> web.Application:
    app = web.Application(middlewares=[vendor_middleware])
    app[SANDBOX] = Sandbox(config)
    for module in MODULES:
        app.add_routes(module.routes())
    app.router.add_get("/", _front)
    app.on_startup.append(_start)
    app.on_shutdown.append(_release_hanging)
    app.on_cleanup.append(_stop)
    return app


async def _front(request: web.Request) -> web.StreamResponse:
    raise web.HTTPFound("/mail")


async def _start(app: web.Application) -> None:
    sandbox = app[SANDBOX]
    if not sandbox.restore():
        return
    log.info("Took up %s numbers and %s checkouts", len(sandbox.state.numbers), len(sandbox.state.sessions))
    for number in sandbox.state.numbers:
        numbers.schedule(sandbox, number)
    for session in sandbox.state.sessions:
        if session.status == "open":
            payments.schedule(sandbox, session)


async def _release_hanging(app: web.Application) -> None:
    for event in app[SANDBOX].hung:
        event.set()


async def _stop(app: web.Application) -> None:
    sandbox = app[SANDBOX]
    sandbox.clock.stop()
    sandbox.save()
    await sandbox.webhooks.close()
