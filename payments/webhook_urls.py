"""Webhooks into this app."""

from django.urls import path

from payments import webhooks

urlpatterns = [path("stripe", webhooks.receive, {"gateway": "stripe"}, name="webhook-stripe")]
