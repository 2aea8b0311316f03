"""Refunds in the console."""

from __future__ import annotations

import pytest
from django.test import Client

from accounts.tests.factories import make_user
from refunds.tests.factories import bought, end, make_refund
from wallet.models import Transaction
from wallet.tests.factories import funded

pytestmark = pytest.mark.django_db


@pytest.fixture
def staff() -> Client:
    client = Client()
    client.force_login(make_user(is_staff=True, is_superuser=True))
    return client


def test_a_refund_leads_to_all_that_it_is_about_and_can_not_be_changed(staff: Client) -> None:
    user = make_user()
    funded(user, 1000)
    verification = end(bought(user))
    refund = make_refund(verification, reason="timeout")
    page = f"/admin/refunds/refund/{refund.pk}/"
    shown = staff.get(f"{page}change/").content.decode()
    for target in (
        f"/admin/accounts/user/{user.pk}/change/",
        f"/admin/verifications/verification/{verification.pk}/change/",
        f"/admin/wallet/transaction/{refund.transaction_id}/change/",
        "$2.50",
    ):
        assert target in shown
    listed = staff.get("/admin/refunds/refund/?amount_from=2.50&status__exact=completed&q=ref_")
    assert [row.pk for row in listed.context["cl"].result_list] == [refund.pk]
    assert staff.get("/admin/refunds/refund/add/").status_code == 403
    assert staff.post(f"{page}delete/", {"post": "yes"}).status_code == 403
    charge = Transaction.objects.get(reference=f"verification:{verification.pk}:capture")
    for row in (charge.pk, refund.transaction_id):
        assert page in staff.get(f"/admin/wallet/transaction/{row}/change/").content.decode()
