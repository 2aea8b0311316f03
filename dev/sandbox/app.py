"""The sandbox put together. A further vendor is one module with `routes()` and its part of the state."""

import logging

from aiohttp import web

from dev.sandbox import checkout, control, mail, numbers, payments, stripe, textverified
from dev.sandbox.config import SandboxConfig
from dev.sandbox.faults import vendor_middleware
from dev.sandbox.world import WORLD, World

log = logging.getLogger("sandbox")

MODULES = (textverified, stripe, checkout, mail, control)


def create_app(config: SandboxConfig) -> web.Application:
    app = web.Application(middlewares=[vendor_middleware])
    app[WORLD] = World(config)
    for module in MODULES:
        app.add_routes(module.routes())
    app.router.add_get("/", _front)
    app.on_startup.append(_start)
    app.on_shutdown.append(_let_go)
    app.on_cleanup.append(_stop)
    return app


async def _front(request: web.Request) -> web.StreamResponse:
    raise web.HTTPFound("/mail")


async def _start(app: web.Application) -> None:
    world = app[WORLD]
    if not world.restore():
        return
    log.info("Took up %s numbers and %s checkouts", len(world.state.numbers), len(world.state.sessions))
    for number in world.state.numbers:
        numbers.schedule(world, number)
    for session in world.state.sessions:
        if session.status == "open":
            payments.schedule(world, session)


async def _let_go(app: web.Application) -> None:
    for event in app[WORLD].hung:
        event.set()


async def _stop(app: web.Application) -> None:
    world = app[WORLD]
    world.clock.stop()
    world.save()
    await world.webhooks.close()
