"""Webhooks into this app."""

from django.urls import path

from payments import gateways, webhooks

urlpatterns = [path(name, webhooks.receive, {"gateway": name}, name=f"webhook-{name}") for name in gateways.GATEWAYS]
