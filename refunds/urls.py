"""Pages of this app."""

from django.urls import path

from refunds import views

urlpatterns = [
    path("refunds", views.refunds, name="refunds"),
    path("refunds/<str:refund_reference>", views.refund, name="refund"),
]
