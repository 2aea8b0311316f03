"""Every address of the product."""

from django.contrib import admin
from django.urls import include, path, re_path

from config import views

urlpatterns = [
    path("", include("accounts.urls")),
    path("", include("wallet.urls")),
    path("", include("payments.urls")),
    path("", include("verifications.urls")),
    path("", include("refunds.urls")),
    path("", include("activity.urls")),
    path("", include("notifications.urls")),
    path("", include("config.site_urls")),
    path("account/", include("allauth.urls")),
    path("admin/", admin.site.urls),
    path("webhooks/", include("config.webhook_urls")),
    path("api/", include("config.api_urls")),
    re_path(r"^api/.*$", views.api_not_found),
]

handler400 = "config.error_pages.bad_request"
handler403 = "config.error_pages.permission_denied"
handler404 = "config.error_pages.page_not_found"
handler500 = "config.error_pages.server_error"
