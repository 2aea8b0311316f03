"""Pages of this app."""

from django.urls import path

from refunds import views

urlpatterns = [path("refunds", views.refunds, name="refunds")]
