"""Pages of this app."""

from django.urls import path

from notifications.inbox import views

urlpatterns = [
    path("notifications", views.notifications, name="notifications"),
    path("notifications/change", views.change, name="notifications-change"),
    path("notifications/<int:notification_id>/open", views.open_notification, name="notification-open"),
]
