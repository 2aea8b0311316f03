"""Where the outside world reports back."""

from django.urls import include, path

urlpatterns = [
    path("", include("payments.webhook_urls")),
    path("", include("verifications.webhook_urls")),
]
