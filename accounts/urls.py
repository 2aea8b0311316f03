"""Pages of this app."""

from django.urls import path
from django.views.generic import RedirectView

from accounts import views

urlpatterns = [
    path("settings", RedirectView.as_view(pattern_name="settings-profile")),
    path("settings/profile", views.profile, name="settings-profile"),
    path("settings/security", views.security, name="settings-security"),
    path("settings/keys", views.keys, name="settings-keys"),
    path("settings/keys/<int:key_id>/revoke", views.revoke_key, name="revoke-key"),
    path("policy", views.policy, name="policy"),
]
