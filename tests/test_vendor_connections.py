"""No database connection is held while a vendor is asked, whoever asks."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from django.db import connection, connections
from django.utils import timezone

from accounts.models import User
from dev.testing.live import until
from payments import services as payments
from payments.models import Payment
from tests.people import customer as funded_customer
from verifications import services
from verifications.models import Status, Verification
from verifications.services import provider_calls
from verifications.tests.factories import make_offer

if TYPE_CHECKING:
    from dev.sandbox.testing import RunningSandbox

pytestmark = pytest.mark.django_db(transaction=True)
ORDER = "POST .*/v2/verifications$"
CANCEL = "POST .*/cancel$"


def check_hanging(sandbox: RunningSandbox, where: str, work: Callable[[], object]) -> None:
    """`work` asks the vendor there; while it hangs, no connection but this one is anywhere but in the pool."""
    sandbox.fault(where, "slow:0.5")
    connection.ensure_connection()
    pool = connection.pool

    def run() -> object:
        try:
            return work()
        except Exception as error:  # noqa: BLE001  how it ends is others' test
            return error
        finally:
            connections.close_all()

    asked = len(sandbox.requests())
    with ThreadPoolExecutor(max_workers=1) as threads:
        call = threads.submit(run)
        until(lambda: any(entry["fault"] == "slow" for entry in sandbox.request_log()[asked:]), "the vendor is asked")
        stats = pool.get_stats()
        lent = stats["pool_size"] - stats["pool_available"]
        assert not call.done()
        error = call.result()
    assert not isinstance(error, RuntimeError | AssertionError), error
    assert lent == 1, f"{where}: {lent - 1} are held"


def test_no_connection_is_held_while_a_vendor_is_asked(sandbox: RunningSandbox, settings: Any) -> None:
    settings.PROVIDER_TIMEOUT_SECONDS = settings.GATEWAY_TIMEOUT_SECONDS = 5
    shop, customer, now = sandbox, funded_customer(cents=100_00), timezone.now()
    make_offer("test_pending")
    waiting = bought(customer)
    assert waiting.expires_at is not None
    number = "GET .*/v2/verifications/[^/]+$"
    unpriced = make_offer("whatsapp", cost=None, price=None, quoted_at=None)
    payment = payments.initiate(user=customer, amount=20_00, now=now).payment
    session = "GET /stripe/v1/checkout/sessions/"
    check_hanging(shop, ORDER, lambda: services.buy(user=customer, service_name="test_pending"))
    check_hanging(shop, "/pricing/", lambda: services.refresh_quote(offer=unpriced, now=now))
    check_hanging(shop, "/pricing/", lambda: services.price_service(service_name="test_pending", area_code="212"))
    check_hanging(shop, CANCEL, lambda: services.cancel(user=customer, verification_id=bought(customer).pk))
    check_hanging(shop, number, lambda: services.poll_due(now=now + timedelta(seconds=4)))
    check_hanging(shop, number, lambda: provider_calls.fetch(waiting))
    check_hanging(shop, "POST .*/report$", lambda: provider_calls.report(waiting))
    check_hanging(shop, number, lambda: services.expire_due(now=waiting.expires_at + timedelta(seconds=11)))
    check_hanging(shop, "GET .*/v2/services", lambda: services.sync_catalogue(now=now))
    check_hanging(shop, "GET .*/v2/verifications$", lambda: reconcile(now))
    left_to_recovery(shop, customer)
    check_hanging(shop, ORDER, lambda: services.recover_due(now=now + timedelta(seconds=20)))
    check_hanging(shop, "POST /stripe/", lambda: payments.initiate(user=customer, amount=5_00, now=now))
    check_hanging(shop, session, lambda: payments.settle(payment=payment, now=now))
    Payment.objects.filter(pk=payment.pk).update(next_check_at=now)
    check_hanging(shop, session, lambda: payments.check_due(now=now))
    check_hanging(shop, session, lambda: payments.reconcile(since=now - timedelta(days=1), now=later(), execute=False))


def bought(user: User) -> Verification:
    return services.buy(user=user, service_name="test_pending").verification


def left_to_recovery(shop: RunningSandbox, user: User) -> None:
    shop.fault(ORDER, "drop_before")
    assert bought(user).status == Status.REQUESTED


def later() -> Any:
    return timezone.now() + timedelta(minutes=1)


def reconcile(now: Any) -> object:
    return services.reconcile_provider(since=now - timedelta(days=1), now=later(), execute=False)
