"""The catalogue against the sandbox: what it takes over, what it leaves alone, and how much it asks."""

from datetime import timedelta
from decimal import Decimal
from importlib import import_module

import pytest
from django.apps import apps
from django.core.management import call_command
from django.core.management.base import CommandError
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from accounts.tests.factories import make_user
from config.lib.remote.errors import Rejected, RemoteError
from dev.sandbox.catalogue import OFFERS
from verifications import catalogue_data, errors, providers, services, signals
from verifications.models import Category, Offer, Service, Status, Verification
from verifications.providers.base import OutOfStock, PartialList
from verifications.selectors import services_for_sale
from verifications.services import catalogue
from verifications.tests.factories import make_offer

pytestmark = pytest.mark.django_db

NOW = timezone.now()


@pytest.fixture
def shop(sandbox, settings):
    settings.PROVIDER_TIMEOUT_SECONDS = 2
    settings.CATALOGUE_PRICES_PER_SYNC = 6
    return sandbox


@pytest.fixture
def heard():
    news = []

    def hear(**kwargs):
        news.append((kwargs["provider"], kwargs["balance"], kwargs["threshold"]))

    signals.provider_balance_low.connect(hear)
    yield news
    signals.provider_balance_low.disconnect(hear)


def offer(name: str) -> Offer:
    return Offer.objects.select_related("service__category").get(service__name=name)


def priced() -> set[str]:
    return set(Offer.objects.exclude(price=None).values_list("service__name", flat=True))


def make_verification(name: str, status: str, *, ended_ago: timedelta = timedelta(hours=1)) -> Verification:
    service = Service.objects.get(name=name)
    is_open = status in (Status.REQUESTED, Status.WAITING)
    return Verification.objects.create(
        user=make_user(),
        service=service,
        country="US",
        price=50,
        currency="USD",
        status=status,
        charged=status != Status.REQUESTED,
        provider="textverified",
        ended_at=None if is_open else NOW - ended_ago,
    )


def test_every_service_of_the_provider_becomes_an_offer(shop):
    summary = services.sync_catalogue(now=NOW)
    assert (summary.services, summary.added, summary.gone) == (len(OFFERS), len(OFFERS), 0)
    assert set(Offer.objects.filter(active=True).values_list("service__name", flat=True)) == set(OFFERS)
    found = offer("whatsapp")
    assert (found.country, found.provider, found.capability, found.service.title, found.service.category.slug) == (
        "US",
        "textverified",
        "sms",
        "WhatsApp",
        "messaging",
    )


def test_banking_payments_government_and_health_are_blocked(shop):
    services.sync_catalogue(now=NOW)
    blocked = Service.objects.filter(category__blocked=True).values_list("name", flat=True)
    assert {"chase", "paypal", "ssa", "mychart"} <= set(blocked)
    assert set(Category.objects.filter(blocked=True).values_list("slug", flat=True)) == {
        "banking",
        "payments",
        "government",
        "health",
        "unclassified",
    }


def test_a_shop_that_is_no_trial_does_not_sell_test_services(shop, settings):
    settings.SELL_TEST_SERVICES = False
    services.sync_catalogue(now=NOW)
    assert offer("test_success").service.category.blocked


def test_the_second_sync_adds_nothing(shop):
    services.sync_catalogue(now=NOW)
    summary = services.sync_catalogue(now=NOW)
    assert (summary.added, summary.gone) == (0, 0)
    assert Offer.objects.count() == Service.objects.count() == len(OFFERS)


def test_what_staff_set_stays(shop):
    services.sync_catalogue(now=NOW)
    other = Category.objects.get(slug="other")
    Service.objects.filter(name="whatsapp").update(title="Mine", category=other, blocked=True, fixed_price=777)
    Category.objects.filter(slug="banking").update(blocked=False, name="Banks")
    services.sync_catalogue(now=NOW)
    found = offer("whatsapp").service
    assert (found.title, found.category, found.blocked, found.fixed_price) == ("Mine", other, True, 777)
    assert Category.objects.filter(slug="banking", blocked=False, name="Banks").exists()


def test_a_service_that_is_gone_is_no_longer_offered_until_it_is_back(shop):
    services.sync_catalogue(now=NOW)
    gone = make_offer("gone")
    assert services.sync_catalogue(now=NOW).gone == 1
    gone.refresh_from_db()
    assert not gone.active
    Offer.objects.filter(service__name="whatsapp").update(active=False)
    services.sync_catalogue(now=NOW)
    assert offer("whatsapp").active


@pytest.fixture
def refusals():
    news = []

    def hear(**kwargs):
        news.append((kwargs["provider"], kwargs["listed"], kwargs["lacking"], kwargs["for_sale"]))

    signals.catalogue_refused.connect(hear)
    yield news
    signals.catalogue_refused.disconnect(hear)


def for_sale() -> int:
    return services_for_sale().count()


def test_an_empty_list_is_not_believed(shop, refusals):
    services.sync_catalogue(now=NOW)
    shop.settings(unlisted=list(OFFERS))
    assert services.sync_catalogue(now=NOW).gone == 0
    assert Offer.objects.filter(active=True).count() == len(OFFERS)
    assert refusals == [("textverified", 0, for_sale(), for_sale())]


def test_a_truncated_list_takes_nothing_off_sale(shop, refusals):
    services.sync_catalogue(now=NOW)
    before = for_sale()
    shop.fault("GET .*/services$", "truncated")
    summary = services.sync_catalogue(now=NOW)
    assert (summary.added, summary.gone, summary.refused, summary.for_sale) == (0, 0, before - 1, before)
    assert for_sale() == before
    assert refusals == [("textverified", 1, before - 1, before)]


def test_a_list_may_lose_a_fifth_of_what_is_for_sale_and_no_more(shop, refusals):
    services.sync_catalogue(now=NOW)
    sold = list(services_for_sale().values_list("service__name", flat=True))
    fifth = len(sold) // 5
    shop.settings(unlisted=sold[: fifth + 1])
    assert services.sync_catalogue(now=NOW).refused == fifth + 1
    shop.settings(unlisted=sold[:fifth])
    assert services.sync_catalogue(now=NOW).gone == fifth
    assert (for_sale(), len(refusals)) == (len(sold) - fifth, 1)


def test_what_is_blocked_anyway_is_not_counted_as_lost(shop, refusals):
    services.sync_catalogue(now=NOW)
    blocked = list(Service.objects.filter(category__blocked=True).values_list("name", flat=True))
    assert len(blocked) * 5 > for_sale()
    shop.settings(unlisted=blocked)
    assert services.sync_catalogue(now=NOW).gone == len(blocked)
    assert refusals == []


def test_by_force_a_short_list_is_taken_over(shop, capsys):
    services.sync_catalogue(now=NOW)
    before = for_sale()
    shop.settings(unlisted=[name for name in OFFERS if name != "whatsapp"])
    with pytest.raises(CommandError, match=f"lacks {before - 1} of the {before} services.*--force"):
        call_command("sync_catalogue")
    assert for_sale() == before
    call_command("sync_catalogue", "--force")
    assert for_sale() == 1


def test_one_row_that_can_not_be_read_hides_no_other(shop, capsys):
    shop.settings(capability_words={"whatsapp": "telepathy", "discord": None, "tiktok": "Sms"})
    summary = services.sync_catalogue(now=NOW)
    assert (summary.services, summary.unreadable) == (len(OFFERS) - 2, 2)
    assert not Offer.objects.filter(service__name__in=["whatsapp", "discord"]).exists()
    assert offer("tiktok").active
    call_command("sync_catalogue")
    assert "2 rows of the list can't be read" in capsys.readouterr().out


def test_a_name_in_other_letters_is_the_same_service(shop):
    make_offer("WhatsApp")
    services.sync_catalogue(now=NOW)
    assert [found.name for found in Service.objects.filter(name__iexact="whatsapp")] == ["WhatsApp"]
    assert offer("WhatsApp").active


# --- what nobody has classified


def test_a_service_that_no_category_names_is_not_sold_until_staff_classify_it(shop):
    services.sync_catalogue(now=NOW)
    unknown = Service.objects.create(
        name="brandnew", title="Brandnew", category=Category.objects.get(slug=catalogue_data.known("brandnew").category)
    )
    make_offer("brandnew")
    assert unknown.category.blocked
    assert not services_for_sale().filter(service=unknown).exists()
    with pytest.raises(errors.ServiceBlocked, match="Numbers for Brandnew are not for sale yet"):
        services.price_service(service_name="brandnew")

    unknown.category = Category.objects.get(slug="shopping")
    services.save_service(service=unknown)
    assert services_for_sale().filter(service=unknown).exists()
    assert services.price_service(service_name="brandnew").price == 50


def test_the_catch_all_services_are_blocked(shop):
    made = catalogue._add_services(["servicenotlisted", "allservices"])
    assert made is None
    for name in ("servicenotlisted", "allservices"):
        make_offer(name)
        with pytest.raises(errors.ServiceBlocked):
            services.price_service(service_name=name)
    assert for_sale() == 0


def test_the_migration_takes_off_sale_what_nobody_has_looked_at(shop):
    services.sync_catalogue(now=NOW)
    other = Category.objects.get(slug="other")

    def service(name: str, title: str, **fields: object) -> Service:
        return Service.objects.create(name=name, title=title, category=other, **fields)

    untouched = service("new_york_times", "New York Times")
    titled, priced_by_staff = service("abc", "The ABC"), service("def", "Def", fixed_price=100)
    catch_all = service("ServiceNotListed", "ServiceNotListed")
    import_module("verifications.migrations.0005_unclassified_services").take_off_sale(apps, None)
    for row in (untouched, titled, priced_by_staff, catch_all):
        row.refresh_from_db()
    assert [row.category.slug for row in (untouched, titled, priced_by_staff)] == ["unclassified", "other", "other"]
    assert (untouched.category.blocked, catch_all.blocked) == (True, True)
    assert offer("whatsapp").service.category.slug == "messaging"


def test_a_list_that_cannot_be_had_changes_nothing(shop):
    services.sync_catalogue(now=NOW)
    shop.fault("/services$", "error_500", times=2)
    with pytest.raises(RemoteError):
        services.sync_catalogue(now=NOW)
    assert Offer.objects.filter(active=True).count() == len(OFFERS)


def test_no_more_prices_are_asked_for_than_allowed(shop):
    assert services.sync_catalogue(now=NOW).priced == 6
    assert sum("/pricing/" in line for line in shop.requests()) == 6
    assert len(priced()) == 6


def test_test_services_and_then_popular_ones_are_priced_first(shop, settings):
    settings.CATALOGUE_PRICES_PER_SYNC = 16
    services.sync_catalogue(now=NOW)
    assert {"test_success", "test_pending", "test_timeout", "whatsapp", "telegram"} <= priced()


def test_what_was_bought_comes_before_what_is_popular(shop):
    services.ensure_categories()
    services.sync_catalogue(now=NOW)
    Offer.objects.update(price=None, cost=None, quoted_at=None)
    Service.objects.filter(name__startswith="test_").update(blocked=True)
    make_verification("zoom", Status.COMPLETED)
    services.sync_catalogue(now=NOW)
    assert {"zoom", "whatsapp", "telegram"} <= priced()


def test_run_by_run_everything_that_may_be_sold_is_priced(shop, settings):
    settings.CATALOGUE_PRICES_PER_SYNC = 30
    for _ in range(3):
        services.sync_catalogue(now=NOW)
    assert priced() == {found.service.name for found in Offer.objects.filter(service__category__blocked=False)}
    assert services.sync_catalogue(now=NOW).priced == 0


def test_prices_are_renewed_before_they_are_too_old(shop, settings):
    settings.CATALOGUE_PRICES_PER_SYNC = 100
    services.sync_catalogue(now=NOW)
    assert services.sync_catalogue(now=NOW + timedelta(hours=1)).priced == len(priced())


def test_a_429_ends_the_run_and_keeps_what_it_has(shop):
    shop.fault("/pricing/.*", "slow:0", times=2)
    shop.fault("/pricing/.*", "throttle_429")
    summary = services.sync_catalogue(now=NOW)
    assert (summary.priced, summary.stopped) == (2, "throttled")
    assert len(priced()) == 2
    assert sum("/pricing/" in line for line in shop.requests()) == 3


def test_an_outage_ends_the_run_too(shop):
    shop.fault("/pricing/.*", "error_500", times=2)
    assert services.sync_catalogue(now=NOW).stopped == "unavailable"


@pytest.mark.parametrize(("error", "price", "stock"), [(OutOfStock, 50, 0), (Rejected, None, None)])
def test_one_service_without_a_price_does_not_stop_the_others(shop, monkeypatch, error, price, stock):
    refused = make_offer("test_success", quoted_at=None)
    provider = providers.current()
    quote = provider.quote

    def refuse_one(spec):
        if spec.service == "test_success":
            raise error
        return quote(spec)

    monkeypatch.setattr(provider, "quote", refuse_one)
    summary = services.sync_catalogue(now=NOW)
    refused.refresh_from_db()
    assert (summary.priced, summary.stopped) == (5, "")
    assert (refused.price, refused.stock, refused.quoted_at) == (price, stock, NOW)


@pytest.mark.parametrize(
    ("cost", "markup", "cents"), [("1.10", "2.0", 220), ("0.25", "2.0", 50), ("0.333", "1.5", 50), ("0.01", "1.01", 2)]
)
def test_the_price_is_the_cost_times_markup_rounded_up_to_a_cent(shop, settings, cost, markup, cents):
    settings.MARKUP = Decimal(markup)
    found = make_offer("whatsapp", cost=Decimal(cost), price=1)
    services.sync_catalogue(now=NOW - timedelta(days=1))
    Offer.objects.filter(pk=found.pk).update(cost=Decimal(cost), quoted_at=NOW)
    settings.CATALOGUE_PRICES_PER_SYNC = 0
    services.sync_catalogue(now=NOW)
    found.refresh_from_db()
    assert found.price == cents


def test_a_fixed_price_wins(shop):
    found = make_offer("whatsapp", cost=None, price=None, quoted_at=None, fixed_price=333)
    assert services.refresh_quote(offer=found, now=NOW).price == 333


def test_staff_changing_the_fixed_price_changes_what_is_shown(shop):
    found = make_offer("whatsapp", cost=Decimal("1.10"), price=220)
    service = found.service
    for fixed, price in [(999, 999), (None, 220)]:
        service.fixed_price = fixed
        services.save_service(service=service)
        found.refresh_from_db()
        assert found.price == price


def test_an_offer_without_a_price_is_quoted_when_asked(shop):
    found = services.refresh_quote(offer=make_offer("whatsapp", cost=None, price=None, quoted_at=None), now=NOW)
    assert (found.cost, found.price, found.stock, found.quoted_at) == (Decimal("1.10"), 220, 500, NOW)


def test_a_fresh_price_is_not_asked_for_again(shop):
    services.refresh_quote(offer=make_offer("whatsapp", quoted_at=NOW - timedelta(minutes=59)), now=NOW)
    assert shop.requests() == []


def test_an_old_price_is_renewed(shop):
    found = services.refresh_quote(offer=make_offer("whatsapp", quoted_at=NOW - timedelta(minutes=61)), now=NOW)
    assert found.price == 220


def test_an_old_price_stays_while_the_provider_does_not_answer(shop):
    shop.fault("/pricing/", "error_500")
    assert services.refresh_quote(offer=make_offer("whatsapp", quoted_at=None), now=NOW).price == 50


def test_without_any_price_the_provider_s_silence_is_told(shop):
    shop.fault("/pricing/", "error_500")
    with pytest.raises(RemoteError):
        services.refresh_quote(offer=make_offer("whatsapp", cost=None, price=None, quoted_at=None), now=NOW)


def test_an_open_breaker_of_quotes_keeps_the_quote_from_waiting(shop):
    for _ in range(5):
        providers.operation_breaker("quote").failure()
    assert services.refresh_quote(offer=make_offer("whatsapp", quoted_at=None), now=NOW).price == 50
    assert shop.requests() == []
    providers.operation_breaker("quote").success()


def test_a_service_that_they_do_not_price_has_none(shop):
    found = services.refresh_quote(offer=make_offer("nowhere", quoted_at=None), now=NOW)
    assert (found.cost, found.price) == (None, None)


def test_a_service_without_numbers_shows_no_stock(shop):
    found = services.refresh_quote(offer=make_offer("test_no_numbers", quoted_at=None), now=NOW)
    assert (found.price, found.stock) == (50, 0)


@pytest.mark.races
@pytest.mark.django_db(transaction=True)
def test_twenty_who_want_one_price_ask_once(shop, in_threads, settings):
    settings.VENDOR_PLACES = {**settings.VENDOR_PLACES, "quote": 20}
    found = make_offer("whatsapp", cost=None, price=None, quoted_at=None)
    shop.fault("/pricing/", "slow:0.2")
    answers = in_threads(lambda: services.refresh_quote(offer=found, now=NOW).price, times=20)
    assert answers == [220] * 20
    answered = [entry for entry in shop.request_log() if "/pricing/" in entry["path"] and entry["status"] == 200]
    assert len(answered) == 1


def test_without_redis_a_price_is_asked_for_all_the_same(shop, settings):
    settings.CACHES = {
        "default": {
            **settings.CACHES["default"],
            "LOCATION": "redis://127.0.0.1:1/0",
        }
    }
    assert (
        services.refresh_quote(offer=make_offer("whatsapp", cost=None, price=None, quoted_at=None), now=NOW).price
        == 220
    )


@pytest.mark.parametrize(("balance", "told"), [("50.00", []), ("49.99", [50]), ("24.00", [25]), ("9.99", [10])])
def test_a_low_balance_is_reported_by_its_lowest_threshold(shop, heard, balance, told):
    shop.settings(balance=balance)
    assert services.sync_catalogue(now=NOW).balance == Decimal(balance)
    assert heard == [("textverified", Decimal(balance), Decimal(threshold)) for threshold in told]


def test_a_low_balance_is_reported_once_a_crossing(shop, heard):
    for balance in ("40.00", "30.00", "20.00", "24.00", "40.00", "20.00", "100.00", "40.00"):
        shop.settings(balance=balance)
        services.sync_catalogue(now=NOW)
    assert [threshold for _, _, threshold in heard] == [50, 25, 25, 50]


def test_a_balance_that_cannot_be_asked_for_is_unknown(shop, heard):
    shop.fault("/account/me", "error_500", times=2)
    assert services.sync_catalogue(now=NOW).balance is None
    assert heard == []


def test_the_success_rate_is_of_seven_days(shop):
    services.sync_catalogue(now=NOW)
    for status in (Status.COMPLETED, Status.COMPLETED, Status.COMPLETED, Status.TIMED_OUT, Status.CANCELLED):
        make_verification("whatsapp", status)
    for _ in range(5):
        make_verification("whatsapp", Status.TIMED_OUT, ended_ago=timedelta(days=8))
    make_verification("whatsapp", Status.WAITING)
    assert services.update_success_rates(now=NOW) == 1
    assert offer("whatsapp").success_rate == Decimal("0.6")
    assert services.update_success_rates(now=NOW) == 0


def test_too_few_sales_make_no_rate(shop):
    services.sync_catalogue(now=NOW)
    Offer.objects.filter(service__name="whatsapp").update(success_rate=Decimal("0.5"))
    for _ in range(4):
        make_verification("whatsapp", Status.COMPLETED)
    services.update_success_rates(now=NOW)
    assert offer("whatsapp").success_rate is None


def test_a_sync_costs_as_many_queries_for_all_services_as_for_three(shop, settings, monkeypatch):
    settings.CATALOGUE_PRICES_PER_SYNC = 0
    provider = providers.current()
    everything = provider.services()
    counts = []
    for listings in (everything[:3], everything):
        monkeypatch.setattr(provider, "services", lambda listings=listings: PartialList(listings))
        with CaptureQueriesContext(connection) as queries:
            services.sync_catalogue(now=NOW)
        counts.append(len(queries))
    assert counts[0] == counts[1]


def test_the_command_says_what_it_did(shop, capsys):
    call_command("sync_catalogue")
    assert capsys.readouterr().out == (
        f"{len(OFFERS)} services ({len(OFFERS)} new, 0 gone), 6 prices renewed, balance 10000.0\n"
    )


def test_the_command_fails_where_the_provider_does(shop):
    shop.fault("/services$", "error_500", times=2)
    with pytest.raises(CommandError, match="does not list its services"):
        call_command("sync_catalogue")
