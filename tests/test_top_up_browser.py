"""The top-up form in a browser: what will be paid is said before, and the way back resubmits nothing."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, expect

from dev.testing.live import LiveStack
from payments.models import Payment
from tests.people import customer, sign_in

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


def test_the_form_says_what_will_be_paid_and_back_from_the_checkout_goes_on_with_the_same_payment(
    live: LiveStack, page: Page
) -> None:
    sign_in(page, customer())
    page.goto("/wallet/top-up")
    told = page.locator("[data-will-pay]")
    expect(told).to_have_text("You'll pay $20.00")
    page.get_by_text("$50.00", exact=True).click()
    expect(told).to_have_text("You'll pay $50.00")
    amount = page.get_by_label("Or another amount")
    for typed, sentence in (
        ("7", "You'll pay $7.00"),
        ("$7.5", "You'll pay $7.50"),
        ("4,99", "Write the cents after a point and leave out commas, such as 4.99."),
        ("4.99", "Enter an amount from $5.00 to $500.00."),
        ("seven", "Enter an amount, such as 20.00."),
    ):
        amount.fill(typed)
        expect(told).to_have_text(sentence)

    amount.fill("7,50")
    page.get_by_role("button", name="Continue to payment").click()
    expect(page.locator("#amount-error")).to_be_visible()  # the server's, on the page after this one
    expect(page.get_by_text("Write the cents after a point")).to_have_count(1)
    page.get_by_label("Or another amount").fill("7.50")
    expect(told).to_have_text("You'll pay $7.50")
    expect(page.get_by_text("Write the cents after a point")).to_have_count(0)
    page.get_by_role("button", name="Continue to payment").click()
    page.wait_for_url(re.compile("/checkout/"))
    checkout = page.url
    page.go_back()
    expect(page.get_by_role("heading", name="Top up")).to_be_visible()
    assert Payment.objects.count() == 1, "going back sent the form again"
    page.get_by_label("Or another amount").fill("7.50")
    page.get_by_role("button", name="Continue to payment").click()
    page.wait_for_url(re.compile("/checkout/"))
    assert page.url == checkout
    assert [payment.amount for payment in Payment.objects.all()] == [7_50]
