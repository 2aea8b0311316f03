"""Pages of this app."""

from django.urls import path

from notifications import views

urlpatterns = [
    path("notifications", views.notifications, name="notifications"),
    path("notifications/read", views.read_all, name="notifications-read-all"),
    path("notifications/<int:notification_id>/open", views.open_notification, name="notification-open"),
]
