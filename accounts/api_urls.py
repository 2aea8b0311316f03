"""API paths of this app."""

from django.urls import path

from accounts import api

urlpatterns = [
    path("policy", api.PolicyView.as_view(), name="api-policy"),
    path("keys", api.KeysView.as_view(), name="api-keys"),
    path("keys/<int:key_id>", api.KeyView.as_view(), name="api-key"),
]
