"""`python -m bench.sandbox`: the sandbox in a process of its own, which also sells by the thousand."""

from __future__ import annotations

import os

from aiohttp import web

from dev.sandbox import numbers
from dev.sandbox.app import create_app
from dev.sandbox.catalogue import OFFERS
from dev.sandbox.config import SandboxConfig
from dev.sandbox.sandbox import SANDBOX


async def ready(request: web.Request) -> web.Response:
    return web.Response()


async def sell(request: web.Request) -> web.Response:
    """`{service, count}` -> `[[id, number], …]`."""
    sandbox, given = request.app[SANDBOX], await request.json()
    sandbox.state.balance += 100 * given["count"]
    sold = [
        numbers.sell(sandbox, offer=OFFERS[given["service"]], key=None, areas=[], carriers=[], max_price=None)
        for _ in range(given["count"])
    ]
    return web.json_response([[number.id, number.number] for number in sold])


def main() -> None:
    config = SandboxConfig(
        textverified_api_key=os.environ["TEXTVERIFIED_API_KEY"],
        textverified_username=os.environ["TEXTVERIFIED_USERNAME"],
        textverified_webhook_secret=os.environ["TEXTVERIFIED_WEBHOOK_SECRET"],
        webhook_enabled=False,
    )
    app = create_app(config)
    app.router.add_get("/__bench/ready", ready)
    app.router.add_post("/__bench/sell", sell)
    web.run_app(app, host="127.0.0.1", port=int(os.environ["SANDBOX_PORT"]), access_log=None, print=lambda *_: None)


if __name__ == "__main__":
    main()
