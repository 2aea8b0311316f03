"""API paths of this app."""

from django.urls import path

from config.lib import converters  # noqa: F401  registers `plain`
from verifications import api

urlpatterns = [
    path("v1/countries", api.CountriesView.as_view(), name="api-countries"),
    path("v1/services", api.ServicesView.as_view(), name="api-services"),
    path("v1/services/<plain:name>", api.ServiceView.as_view(), name="api-service"),
    path("v1/favourites", api.FavouritesView.as_view(), name="api-favourites"),
    path("v1/favourites/<plain:name>", api.FavouriteView.as_view(), name="api-favourite"),
    path("v1/verify/create", api.CreateView.as_view(), name="api-verify-create"),
    path("v1/verify", api.VerificationsView.as_view(), name="api-verifications"),
    path("v1/verify/<uuid:verification_id>", api.VerificationView.as_view(), name="api-verification"),
    path("v1/verify/<uuid:verification_id>/cancel", api.CancelView.as_view(), name="api-verification-cancel"),
]
