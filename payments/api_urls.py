"""API paths of this app."""

from django.urls import path

from payments import api

urlpatterns = [
    path("payments/initialize", api.InitializeView.as_view(), name="api-payments-initialize"),
    path("payments", api.PaymentsView.as_view(), name="api-payments"),
    path("payments/<slug:reference>", api.PaymentView.as_view(), name="api-payment"),
    path("payments/<slug:reference>/verify", api.VerifyView.as_view(), name="api-payment-verify"),
]
