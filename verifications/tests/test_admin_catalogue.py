"""The catalogue in the console."""

from decimal import Decimal

import pytest
from django.urls import reverse

from accounts.models import User
from verifications.models import Category, Offer
from verifications.tests.factories import make_offer

pytestmark = pytest.mark.django_db


@pytest.fixture
def console(client):
    client.force_login(User.objects.create_superuser("boss@example.test", "correct-horse-battery"))
    return client


def service_form(offer: Offer, **changes):
    service = offer.service
    return {
        "title": service.title,
        "category": service.category_id,
        "fixed_price": "",
        "offers-TOTAL_FORMS": 0,
        "offers-INITIAL_FORMS": 0,
        **changes,
    }


@pytest.mark.parametrize("model", ["category", "service", "offer"])
def test_lists_and_pages_open(console, model):
    offer = make_offer("whatsapp", fixed_price=250)
    pk = {"category": offer.service.category_id, "service": offer.service_id, "offer": offer.pk}[model]
    assert console.get(reverse(f"admin:verifications_{model}_changelist")).status_code == 200
    assert console.get(reverse(f"admin:verifications_{model}_change", args=[pk])).status_code == 200


def test_a_fixed_price_is_shown_at_once(console):
    offer = make_offer("whatsapp", cost=Decimal("1.10"), price=220)
    url = reverse("admin:verifications_service_change", args=[offer.service_id])
    assert console.post(url, service_form(offer, fixed_price="1.99")).status_code == 302
    offer.refresh_from_db()
    assert offer.price == 199
    assert console.post(url, service_form(offer, blocked="on")).status_code == 302
    offer.refresh_from_db()
    offer.service.refresh_from_db()
    assert (offer.price, offer.service.blocked) == (220, True)


def saved(console, offer, **changes):
    """(status, what is fixed now, what the page says)."""
    url = reverse("admin:verifications_service_change", args=[offer.service_id])
    answer = console.post(url, service_form(offer, **changes), follow=True)
    offer.service.refresh_from_db()
    said = [str(message) for message in answer.context["messages"]]
    form = answer.context.get("adminform")
    return offer.service.fixed_price, dict(form.form.errors) if form and form.form.is_bound else {}, said


LOSS = "$1.09 is below what a number for WhatsApp costs us, $1.10: each sale would be a loss."


def test_a_fixed_price_below_cost_is_refused_until_it_is_confirmed(console):
    offer = make_offer("whatsapp", cost=Decimal("1.0950"), price=220)
    offer.service.title = "WhatsApp"
    offer.service.save()
    assert saved(console, offer, fixed_price="1.09") == (
        None,
        {"fixed_price": [LOSS], "below_cost": ["Tick this to sell below cost all the same."]},
        [],
    )
    fixed, errors, said = saved(console, offer, fixed_price="1.09", below_cost="on")
    assert (fixed, errors, said[0]) == (109, {}, LOSS)
    assert saved(console, offer, fixed_price="1.09", title="Anything else")[:2] == (109, {})
    assert saved(console, offer, fixed_price="1.10")[0] == 110


def test_only_what_is_for_sale_says_what_a_number_costs(console):
    offer = make_offer("whatsapp", cost=Decimal("9.00"), price=1800)
    Offer.objects.update(active=False)
    assert saved(console, offer, fixed_price="1.09")[:2] == (109, {})


def test_a_kind_is_blocked_by_one_tick(console):
    category = make_offer("whatsapp").service.category
    url = reverse("admin:verifications_category_change", args=[category.pk])
    assert console.post(url, {"name": category.name, "blocked": "on"}).status_code == 302
    assert Category.objects.get(pk=category.pk).blocked


@pytest.mark.parametrize("model", ["service", "offer"])
def test_nobody_adds_or_deletes_what_the_sync_brings(console, model):
    offer = make_offer("whatsapp")
    pk = {"service": offer.service_id, "offer": offer.pk}[model]
    assert console.get(reverse(f"admin:verifications_{model}_add")).status_code == 403
    assert console.post(reverse(f"admin:verifications_{model}_delete", args=[pk])).status_code == 403


@pytest.mark.parametrize("model", ["category", "service", "offer"])
def test_a_list_costs_as_many_queries_for_three_rows_as_for_one(console, model):
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    url = reverse(f"admin:verifications_{model}_changelist")
    counts = []
    for names in (["a"], ["b", "c"]):
        for name in names:
            make_offer(name)
            Category.objects.create(slug=name, name=name)
        console.get(url)
        with CaptureQueriesContext(connection) as queries:
            console.get(url)
        counts.append(len(queries))
    assert counts[0] == counts[1]


@pytest.mark.parametrize("typed", ["2,50", "-1", "0", "two", "1e3", "0.001", "9" * 30])
def test_a_price_that_is_no_amount_is_refused_beside_its_field(console, typed):
    offer = make_offer("whatsapp")
    assert saved(console, offer, fixed_price=typed)[:2] == (
        None,
        {"fixed_price": ["Enter an amount, such as 20.00."]},
    )


def test_prices_are_shown_in_dollars_everywhere(console):
    offer = make_offer("whatsapp", price=9_876_543_21, fixed_price=9_876_543_21)
    service = console.get(reverse("admin:verifications_service_change", args=[offer.service_id])).content.decode()
    assert 'value="9876543.21"' in service
    assert "$9,876,543.21" in service
    page = console.get(reverse("admin:verifications_offer_change", args=[offer.pk])).content.decode()
    assert "$9,876,543.21" in page
    assert "987654321" not in service + page
