"""The API: each app's own paths, the schema and its pages."""

from django.urls import include, path
from drf_spectacular.views import SpectacularSwaggerSplitView

from config.api_schema import SchemaView

urlpatterns = [
    path("", include("accounts.api_urls")),
    path("", include("wallet.api_urls")),
    path("", include("payments.api_urls")),
    path("", include("verifications.api_urls")),
    path("", include("refunds.api_urls")),
    path("", include("activity.api_urls")),
    path("", include("notifications.api_urls")),
    path("schema", SchemaView.as_view(), name="schema"),
    path("docs", SpectacularSwaggerSplitView.as_view(url_name="schema"), name="docs"),
]
