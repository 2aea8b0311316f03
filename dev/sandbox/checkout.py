"""The hosted checkout page, where the customer's browser is sent to pay."""

import re
from html import escape

from aiohttp import web

from dev.sandbox import payments
from dev.sandbox.page import page
from dev.sandbox.sandbox import SANDBOX
from dev.sandbox.state import Session

SYMBOLS = {"usd": "$", "eur": "€", "gbp": "£"}


def routes() -> list[web.RouteDef]:
    return [web.get("/checkout/{id}", show), web.post("/checkout/{id}", submit)]


async def show(request: web.Request) -> web.StreamResponse:
    session = request.app[SANDBOX].state.session_by_id.get(request.match_info["id"])
    return _not_found() if session is None else _page(session)


async def submit(request: web.Request) -> web.StreamResponse:
    sandbox = request.app[SANDBOX]
    session = sandbox.state.session_by_id.get(request.match_info["id"])
    if session is None:
        return _not_found()
    if session.payment_status == "paid":
        return _return_to_shop(session)
    if session.status != "open":
        return _page(session)
    form = await request.post()
    card = re.sub(r"[\s-]", "", str(form.get("card_number", "")))
    if form.get("action") == "decline" or card == payments.DECLINED_CARD:
        payments.decline(sandbox, session)
        return _page(session, problem="Your card was declined. Nothing was charged. Try another card.")
    if not re.fullmatch(r"\d{13,19}", card):
        return _page(session, problem="That is not a card number. Check it and try again.", status=422)
    payments.pay(sandbox, session)
    return _return_to_shop(session)


def _return_to_shop(session: Session) -> web.Response:
    address = session.success_url.replace("{CHECKOUT_SESSION_ID}", session.id)
    return web.Response(status=303, headers={"Location": address})


def _page(session: Session, *, problem: str = "", status: int = 200) -> web.Response:
    price = _price(session)
    head = f'<p class="soft">{escape(session.title)}</p><p class="amount">{escape(price)}</p>'
    back = f'<p><a href="{escape(session.cancel_url)}">Cancel and go back</a></p>' if session.cancel_url else ""
    if session.payment_status == "paid":
        address = escape(session.success_url.replace("{CHECKOUT_SESSION_ID}", session.id))
        inner = f'<h1 class="done">Paid</h1>{head}<p>This is paid already. <a href="{address}">Continue</a></p>'
    elif session.status == "open":
        alert = f'<p role="alert" id="problem">{escape(problem)}</p>' if problem else ""
        inner = f"<h1>Pay by card</h1>{head}{alert}{_form(price, invalid=bool(problem))}{back}"
    elif session.status == "expired":
        inner = f"<h1>This checkout has expired</h1>{head}<p>Nothing was charged. Please start again.</p>{back}"
    else:
        inner = f"<h1>The payment failed</h1>{head}<p>Nothing was charged. Please start again.</p>{back}"
    note = '<p class="test">Test mode: no real card is charged.</p>'
    return page(f"Checkout: {price}", f"<section>{inner}</section>{note}", status=status, kind="card")


def _form(price: str, *, invalid: bool) -> str:
    described = ' aria-invalid="true" aria-describedby="problem"' if invalid else ""
    return f"""<form method="post">
<label for="card_number">Card number</label>
<input id="card_number" name="card_number" inputmode="numeric" autocomplete="cc-number" required
 value="4242 4242 4242 4242"{described}>
<div class="pair"><div><label for="expiry">Expiry</label>
<input id="expiry" name="expiry" autocomplete="cc-exp" value="12 / 34"></div>
<div><label for="cvc">Security code</label>
<input id="cvc" name="cvc" inputmode="numeric" autocomplete="cc-csc" value="123"></div></div>
<button name="action" value="pay">Pay {escape(price)}</button>
<button name="action" value="decline" class="plain">Decline this card</button>
</form>"""


def _price(session: Session) -> str:
    number = f"{session.amount // 100:,}.{session.amount % 100:02d}"
    symbol = SYMBOLS.get(session.currency)
    return f"{symbol}{number}" if symbol else f"{number} {session.currency.upper()}"


def _not_found() -> web.Response:
    return page("Not found", "<section><h1>There is no such checkout</h1></section>", status=404, kind="card")
