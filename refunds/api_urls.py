"""API paths of this app."""

from django.urls import path

from refunds import api

urlpatterns = [
    path("refunds", api.RefundsView.as_view(), name="api-refunds"),
    path("refunds/<slug:reference>", api.RefundView.as_view(), name="api-refund"),
]
