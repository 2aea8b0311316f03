"""The life of a checkout: opened, paid, declined, expired, refunded, disputed. No HTTP here; `stripe.py` has that."""

import time
from functools import partial
from typing import Any

from dev.sandbox import webhooks
from dev.sandbox.state import Refund, Session
from dev.sandbox.world import World, new_id

API_VERSION = "2025-09-30.clover"
DECLINED_CARD = "4000000000000002"
SUBSCRIBED = {  # what our endpoint asked to be sent; other events exist, and can be listed
    "checkout.session.completed",
    "checkout.session.expired",
    "checkout.session.async_payment_succeeded",
    "checkout.session.async_payment_failed",
    "refund.created",
    "refund.updated",
    "refund.failed",
    "charge.dispute.created",
    "charge.dispute.closed",
}


class StripeError(Exception):
    """Stripe says no, in its own form: `{error: {type, code, message, param}}`."""

    def __init__(
        self,
        message: str,
        *,
        status: int = 400,
        kind: str = "invalid_request_error",
        code: str | None = None,
        param: str | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.body = {"error": {"type": kind, "message": message}}
        if code:
            self.body["error"]["code"] = code
        if param:
            self.body["error"]["param"] = param


def schedule(world: World, session: Session) -> None:
    world.clock.at(session.ends_at, partial(_expire_when_due, world, session))


def _expire_when_due(world: World, session: Session) -> None:
    if session.status == "open":
        expire(world, session)


def expire(world: World, session: Session) -> None:
    if session.status != "open":
        raise StripeError(
            f'Only Checkout Sessions with a status in ["open"] can be expired. This Session has a status of '
            f"`{session.status}`."
        )
    session.status = "expired"
    emit(world, "checkout.session.expired", session_body(world, session))


def pay(world: World, session: Session, **shape: Any) -> None:
    """The card is charged. Once: a second time changes nothing and sends nothing."""
    if session.payment_status == "paid":
        return
    kind = "checkout.session.completed"
    if session.status == "complete":  # it failed before, and the money came after all
        kind = "checkout.session.async_payment_succeeded"
    _charge(world, session, status="paid")
    session.status, session.payment_status = "complete", "paid"
    emit(world, kind, session_body(world, session), **shape)


def fail(world: World, session: Session, **shape: Any) -> None:
    """A slow payment method says no in the end: the checkout was completed, the money never comes."""
    if session.payment_status == "paid":
        raise ValueError("This checkout is paid; it can no longer fail.")
    _charge(world, session, status="failed")
    if session.status != "complete":
        session.status = "complete"
        emit(world, "checkout.session.completed", session_body(world, session), **shape)
    emit(world, "checkout.session.async_payment_failed", session_body(world, session), **shape)


def decline(world: World, session: Session) -> None:
    """The card is refused; the checkout stays open for another one."""
    _charge(world, session, status="failed")
    emit(world, "payment_intent.payment_failed", intent_body(world, session))


def dispute(world: World, session: Session, **shape: Any) -> None:
    if session.payment_status != "paid":
        pay(world, session)
    if session.dispute:
        return
    session.dispute, session.dispute_status, session.charge_status = (
        new_id("dp_", 24),
        "needs_response",
        "disputed",
    )
    world.state.index_payment(session)
    emit(world, "charge.dispute.created", dispute_body(world, session), **shape)


def close_dispute(world: World, session: Session, *, won: bool, **shape: Any) -> None:
    if session.dispute_status != "needs_response":
        raise ValueError("This payment has no open dispute.")
    session.dispute_status = "won" if won else "lost"
    if won:
        session.charge_status = "paid"
    emit(world, "charge.dispute.closed", dispute_body(world, session), **shape)


def refund(
    world: World, session: Session, *, amount: int | None, reason: str | None, metadata: dict[str, str]
) -> Refund:
    left = session.amount - session.refunded
    if session.payment_status != "paid":
        raise StripeError("This PaymentIntent does not have a successful charge to refund.")
    if left == 0:
        raise StripeError(f"Charge {session.charge} has already been refunded.", code="charge_already_refunded")
    amount = left if amount is None else amount
    if not 0 < amount <= left:
        raise StripeError(
            f"Refund amount (${amount / 100:.2f}) is greater than unrefunded amount on charge (${left / 100:.2f})",
            param="amount",
        )
    made = Refund(
        id=new_id("re_", 24),
        session=session.id,
        amount=amount,
        status=world.knobs.refund_status,
        created=int(world.clock.now()),
        reason=reason,
        metadata=metadata,
    )
    world.state.refunds[made.id] = made
    if made.status not in ("failed", "canceled"):
        session.refunded += amount
    emit(world, "refund.created", refund_body(world, made))
    if made.status == "failed":
        emit(world, "refund.failed", refund_body(world, made))
    return made


def _charge(world: World, session: Session, *, status: str) -> None:
    session.payment_intent = session.payment_intent or new_id("pi_", 24)
    session.charge = new_id("ch_", 24)
    session.charge_status = status
    world.state.index_payment(session)


def emit(
    world: World,
    kind: str,
    body: dict[str, Any],
    *,
    duplicate: bool = False,
    delay: float = 0,
    bad_signature: bool = False,
) -> None:
    """Write an event down, and send it where it is subscribed to: twice, later, or wrongly signed when asked."""
    event = {
        "id": new_id("evt_", 24),
        "object": "event",
        "api_version": API_VERSION,
        "created": int(world.clock.now()),
        "data": {"object": body},
        "livemode": False,
        "pending_webhooks": 1 if kind in SUBSCRIBED else 0,
        "request": {"id": None, "idempotency_key": None},
        "type": kind,
    }
    world.state.events.append(event)
    world.changed()
    if kind not in SUBSCRIBED:
        return
    secret = world.config.stripe_webhook_secret + ("-wrong" if bad_signature else "")

    def send() -> None:
        for _ in range(2 if duplicate else 1):
            world.webhooks.send(
                vendor="stripe",
                event=kind,
                url=f"{world.knobs.public_url}/webhooks/stripe",
                payload=event,
                sign=partial(webhooks.stripe_signature, secret),
                enabled=world.knobs.webhook_enabled,
                retry=not bad_signature,
            )

    if delay > 0:
        world.clock.after(delay, send)
    else:
        send()


def session_body(world: World, session: Session) -> dict[str, Any]:
    return {
        "id": session.id,
        "object": "checkout.session",
        "amount_subtotal": session.amount,
        "amount_total": session.amount,
        "cancel_url": session.cancel_url,
        "client_reference_id": session.reference,
        "created": session.created,
        "currency": session.currency,
        "customer": None,
        "customer_details": {"email": session.customer_email} if session.customer_email else None,
        "customer_email": session.customer_email,
        "expires_at": session.expires_at,
        "livemode": False,
        "metadata": session.metadata,
        "mode": "payment",
        "payment_intent": session.payment_intent,
        "payment_method_types": ["card"],
        "payment_status": session.payment_status,
        "status": session.status,
        "success_url": session.success_url,
        "ui_mode": "hosted",
        "url": session.url if session.status == "open" else None,
    }


def intent_body(world: World, session: Session) -> dict[str, Any]:
    paid = session.payment_status == "paid"
    return {
        "id": session.payment_intent,
        "object": "payment_intent",
        "amount": session.amount,
        "amount_received": session.amount if paid else 0,
        "created": session.created,
        "currency": session.currency,
        "latest_charge": session.charge,
        "livemode": False,
        "metadata": {},
        "payment_method_types": ["card"],
        "status": "succeeded" if paid else "requires_payment_method",
    }


def charge_body(world: World, session: Session) -> dict[str, Any]:
    paid = session.payment_status == "paid"
    return {
        "id": session.charge,
        "object": "charge",
        "amount": session.amount,
        "amount_captured": session.amount if paid else 0,
        "amount_refunded": session.refunded,
        "captured": paid,
        "created": session.created,
        "currency": session.currency,
        "disputed": session.dispute is not None,
        "livemode": False,
        "metadata": {},
        "paid": paid,
        "payment_intent": session.payment_intent,
        "refunded": paid and session.refunded == session.amount,
        "status": "succeeded" if paid else "failed",
    }


def refund_body(world: World, made: Refund) -> dict[str, Any]:
    session = world.state.session_by_id[made.session]
    return {
        "id": made.id,
        "object": "refund",
        "amount": made.amount,
        "charge": session.charge,
        "created": made.created,
        "currency": session.currency,
        "metadata": made.metadata,
        "payment_intent": session.payment_intent,
        "reason": made.reason,
        "status": made.status,
        **({"failure_reason": "unknown"} if made.status == "failed" else {}),
    }


def dispute_body(world: World, session: Session) -> dict[str, Any]:
    return {
        "id": session.dispute,
        "object": "dispute",
        "amount": session.amount,
        "charge": session.charge,
        "created": int(world.clock.now()),
        "currency": session.currency,
        "livemode": False,
        "metadata": {},
        "payment_intent": session.payment_intent,
        "reason": "fraudulent",
        "status": session.dispute_status,
    }


def open_session(
    world: World,
    *,
    amount: int,
    currency: str,
    title: str,
    reference: str | None,
    success_url: str,
    cancel_url: str | None,
    metadata: dict[str, str],
    customer_email: str | None,
    lifetime: float,
    expires_at: int,
    base_url: str,
) -> Session:
    """`lifetime` in seconds runs on the sandbox's clock; `expires_at` is what the merchant is shown."""
    session_id = new_id("cs_test_", 40)
    session = Session(
        id=session_id,
        ordinal=len(world.state.sessions),
        reference=reference,
        amount=amount,
        currency=currency,
        title=title,
        success_url=success_url,
        cancel_url=cancel_url,
        metadata=metadata,
        customer_email=customer_email,
        created=int(time.time()),
        expires_at=expires_at,
        ends_at=world.clock.now() + lifetime,
        url=f"{base_url}/checkout/{session_id}",
    )
    world.state.add_session(session)
    schedule(world, session)
    world.changed()
    return session
