"""The hosted checkout page, as a browser meets it."""

import re

from dev.tests.sandbox_clients import plain
from dev.tests.test_sandbox_stripe import gateway, opened

FORM = {"card_number": "4242 4242 4242 4242", "action": "pay"}


def test_the_page_shows_the_price_and_a_labelled_form(sandbox):
    session = opened(gateway(sandbox))
    page = plain(sandbox).get(f"/checkout/{session.id}").text
    fields = set(re.findall(r'<input id="(\w+)"', page))
    assert fields == {"card_number", "expiry", "cvc"}
    assert set(re.findall(r'<label for="(\w+)"', page)) == fields
    assert re.findall(r"<button[^>]*>([^<]+)</button>", page) == ["Pay $20.00", "Decline this card"]
    assert 'value="4242 4242 4242 4242"' in page
    assert 'href="https://shop.test/wallet"' in page


def test_paying_leads_back_to_the_shop_and_charges_once(sandbox):
    session = opened(gateway(sandbox))
    answers = [plain(sandbox).post(f"/checkout/{session.id}", data=FORM) for _ in range(2)]
    assert [(answer.status_code, answer.headers["Location"]) for answer in answers] == [
        (303, f"https://shop.test/back?session={session.id}")
    ] * 2
    assert [sent["event"] for sent in sandbox.webhooks()] == ["checkout.session.completed"]
    assert len(sandbox.ledger()["charges"]) == 1


def test_a_declined_card_stays_on_the_page_and_another_one_pays(sandbox):
    client = gateway(sandbox)
    session = opened(client)
    for form in ({"card_number": "4000 0000 0000 0002", "action": "pay"}, {**FORM, "action": "decline"}):
        answer = plain(sandbox).post(f"/checkout/{session.id}", data=form)
        assert answer.status_code == 200
        assert '<p role="alert" id="problem">Your card was declined.' in answer.text
    assert client.v1.checkout.sessions.retrieve(session.id).status == "open"
    assert sandbox.webhooks() == []
    assert plain(sandbox).post(f"/checkout/{session.id}", data=FORM).status_code == 303


def test_nonsense_for_a_card_number_is_told(sandbox):
    session = opened(gateway(sandbox))
    answer = plain(sandbox).post(f"/checkout/{session.id}", data={"card_number": "hello", "action": "pay"})
    assert answer.status_code == 422
    assert "That is not a card number." in answer.text


def test_an_expired_checkout_says_so_and_takes_no_money(sandbox):
    session = opened(gateway(sandbox))
    sandbox.advance(24 * 3600 + 5)
    page = plain(sandbox).get(f"/checkout/{session.id}").text
    after = plain(sandbox).post(f"/checkout/{session.id}", data=FORM).text
    assert ["This checkout has expired" in text for text in (page, after)] == [True, True]
    assert sandbox.ledger()["charges"] == []


def test_what_the_shop_sent_is_escaped(sandbox):
    item = {"currency": "usd", "unit_amount": 500, "product_data": {"name": "<script>alert(1)</script>"}}
    session = opened(
        gateway(sandbox),
        line_items=[{"price_data": item, "quantity": 1}],
        cancel_url='https://shop.test/"><script>alert(2)</script>',
    )
    page = plain(sandbox).get(f"/checkout/{session.id}").text
    assert "<script>" not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page


def test_an_unknown_checkout_is_not_found(sandbox):
    assert plain(sandbox).get("/checkout/cs_test_none").status_code == 404
