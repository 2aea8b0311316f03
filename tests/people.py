"""People for tests that cross apps."""

from __future__ import annotations

import re
from itertools import count
from typing import TYPE_CHECKING

from allauth.account.models import EmailAddress

from accounts.models import User
from accounts.tests.factories import make_user
from config.lib.unit_of_work import unit_of_work
from wallet import services as wallet
from wallet.models import Counterparty, TransactionType

if TYPE_CHECKING:
    from playwright.sync_api import Page

PASSWORD = "correct-horse-battery"
_numbers = count(1)


def customer(*, cents: int = 0, email: str = "") -> User:
    """A customer with a confirmed address, and money."""
    email = email or f"person{next(_numbers)}@example.test"
    user = make_user(email, password=PASSWORD)
    EmailAddress.objects.create(user=user, email=email, verified=True, primary=True)
    if cents:
        with unit_of_work():
            wallet.credit(
                user=user,
                amount=cents,
                type=TransactionType.BONUS,
                counterparty=Counterparty.PROMOTIONS,
                reference=f"test:{email}",
                description="For the test",
                metadata={"reason": "For the test"},
            )
    return user


def sign_in(page: Page, user: User) -> None:
    page.goto("/account/login/")
    page.get_by_label(re.compile("^E-?mail", re.IGNORECASE)).fill(user.email)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    page.get_by_role("heading", name="Home").wait_for()
