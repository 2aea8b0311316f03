"""Pages of this app."""

from django.urls import path

from config.lib import converters  # noqa: F401  registers `plain`
from verifications import views

urlpatterns = [
    path("buy", views.buy, name="buy"),
    path("buy/<plain:name>", views.buy_service, name="buy-service"),
    path("favourites", views.change_favourites, name="favourites"),
    path("verify/<uuid:verification_id>", views.verification, name="verification"),
    path("verify/<uuid:verification_id>/cancel", views.cancel, name="cancel-verification"),
    path("history", views.history, name="history"),
]
