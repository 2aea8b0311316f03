"""Webhooks into this app."""

from django.urls import path

from verifications import webhooks

urlpatterns = [path("textverified", webhooks.receive, {"provider": "textverified"}, name="webhook-textverified")]
