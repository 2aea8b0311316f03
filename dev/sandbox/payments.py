"""Checkouts: opened, paid, declined, expired, refunded, disputed. No HTTP here; `stripe.py` has that."""

import time
from functools import partial
from typing import Any

from dev.sandbox import webhooks
from dev.sandbox.sandbox import Sandbox, new_id
from dev.sandbox.state import Refund, Session

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
    """Stripe refuses, in its own form: `{error: {type, code, message, param}}`."""

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


def schedule(sandbox: Sandbox, session: Session) -> None:
    sandbox.clock.at(session.ends_at, partial(_expire_when_due, sandbox, session))


def _expire_when_due(sandbox: Sandbox, session: Session) -> None:
    if session.status == "open":
        expire(sandbox, session)


def expire(sandbox: Sandbox, session: Session) -> None:
    if session.status != "open":
        raise StripeError(
            f'Only Checkout Sessions with a status in ["open"] can be expired. This Session has a status of '
            f"`{session.status}`."
        )
    session.status = "expired"
    emit(sandbox, "checkout.session.expired", session_body(sandbox, session))


def pay(sandbox: Sandbox, session: Session, **shape: Any) -> None:
    """Charge the card. Idempotent: a second call changes and sends nothing."""
    if session.payment_status == "paid":
        return
    kind = "checkout.session.completed"
    if session.status == "complete":  # it failed before, and the money came after all
        kind = "checkout.session.async_payment_succeeded"
    _charge(sandbox, session, status="paid")
    session.status, session.payment_status = "complete", "paid"
    emit(sandbox, kind, session_body(sandbox, session), **shape)


def fail(sandbox: Sandbox, session: Session, **shape: Any) -> None:
    """Fail a delayed payment method: the checkout was completed, but the money never comes."""
    if session.payment_status == "paid":
        raise ValueError("This checkout is paid; it can no longer fail.")
    _charge(sandbox, session, status="failed")
    if session.status != "complete":
        session.status = "complete"
        emit(sandbox, "checkout.session.completed", session_body(sandbox, session), **shape)
    emit(sandbox, "checkout.session.async_payment_failed", session_body(sandbox, session), **shape)


def decline(sandbox: Sandbox, session: Session) -> None:
    """Decline the card; the checkout stays open for another one."""
    _charge(sandbox, session, status="failed")
    emit(sandbox, "payment_intent.payment_failed", intent_body(sandbox, session))


def dispute(sandbox: Sandbox, session: Session, **shape: Any) -> None:
    if session.payment_status != "paid":
        pay(sandbox, session)
    if session.dispute:
        return
    session.dispute, session.dispute_status, session.charge_status = (
        new_id("dp_", 24),
        "needs_response",
        "disputed",
    )
    sandbox.state.index_payment(session)
    emit(sandbox, "charge.dispute.created", dispute_body(sandbox, session), **shape)


def close_dispute(sandbox: Sandbox, session: Session, *, won: bool, **shape: Any) -> None:
    if session.dispute_status != "needs_response":
        raise ValueError("This payment has no open dispute.")
    session.dispute_status = "won" if won else "lost"
    if won:
        session.charge_status = "paid"
    emit(sandbox, "charge.dispute.closed", dispute_body(sandbox, session), **shape)


def refund(
    sandbox: Sandbox, session: Session, *, amount: int | None, reason: str | None, metadata: dict[str, str]
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
        status=sandbox.settings.refund_status,
        created=int(sandbox.clock.now()),
        reason=reason,
        metadata=metadata,
    )
    sandbox.state.refunds[made.id] = made
    if made.status not in ("failed", "canceled"):
        session.refunded += amount
    emit(sandbox, "refund.created", refund_body(sandbox, made))
    if made.status == "failed":
        emit(sandbox, "refund.failed", refund_body(sandbox, made))
    return made


def _charge(sandbox: Sandbox, session: Session, *, status: str) -> None:
    session.payment_intent = session.payment_intent or new_id("pi_", 24)
    session.charge = new_id("ch_", 24)
    session.charge_status = status
    sandbox.state.index_payment(session)


def emit(
    sandbox: Sandbox,
    kind: str,
    body: dict[str, Any],
    *,
    duplicate: bool = False,
    delay: float = 0,
    bad_signature: bool = False,
) -> None:
    """Store an event and send it if it is subscribed to; twice, later, or with a wrong signature if asked for."""
    event = {
        "id": new_id("evt_", 24),
        "object": "event",
        "api_version": API_VERSION,
        "created": int(sandbox.clock.now()),
        "data": {"object": body},
        "livemode": False,
        "pending_webhooks": 1 if kind in SUBSCRIBED else 0,
        "request": {"id": None, "idempotency_key": None},
        "type": kind,
    }
    sandbox.state.events.append(event)
    sandbox.changed()
    if kind not in SUBSCRIBED:
        return
    secret = sandbox.config.stripe_webhook_secret + ("-wrong" if bad_signature else "")

    def send() -> None:
        for _ in range(2 if duplicate else 1):
            sandbox.webhooks.send(
                vendor="stripe",
                event=kind,
                url=f"{sandbox.settings.public_url}/webhooks/stripe",
                payload=event,
                sign=partial(webhooks.stripe_signature, secret),
                enabled=sandbox.settings.webhook_enabled,
                retry=not bad_signature,
            )

    if delay > 0:
        sandbox.clock.after(delay, send)
    else:
        send()


def session_body(sandbox: Sandbox, session: Session) -> dict[str, Any]:
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


def intent_body(sandbox: Sandbox, session: Session) -> dict[str, Any]:
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


def charge_body(sandbox: Sandbox, session: Session) -> dict[str, Any]:
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


def refund_body(sandbox: Sandbox, made: Refund) -> dict[str, Any]:
    session = sandbox.state.session_by_id[made.session]
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


def dispute_body(sandbox: Sandbox, session: Session) -> dict[str, Any]:
    return {
        "id": session.dispute,
        "object": "dispute",
        "amount": session.amount,
        "charge": session.charge,
        "created": int(sandbox.clock.now()),
        "currency": session.currency,
        "livemode": False,
        "metadata": {},
        "payment_intent": session.payment_intent,
        "reason": "fraudulent",
        "status": session.dispute_status,
    }


def open_session(
    sandbox: Sandbox,
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
    """Open a checkout. `lifetime` in seconds runs on the sandbox's clock; `expires_at` is shown to the merchant."""
    session_id = new_id("cs_test_", 40)
    session = Session(
        id=session_id,
        ordinal=len(sandbox.state.sessions),
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
        ends_at=sandbox.clock.now() + lifetime,
        url=f"{base_url}/checkout/{session_id}",
    )
    sandbox.state.add_session(session)
    schedule(sandbox, session)
    sandbox.changed()
    return session
