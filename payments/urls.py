"""Pages of this app."""

from django.urls import path

from payments import views

urlpatterns = [
    path("wallet/top-up", views.top_up, name="top-up"),
    path("payments", views.payments, name="payments"),
    path("payments/<slug:reference>", views.payment, name="payment"),
]
