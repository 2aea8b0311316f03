"""API paths of this app."""

from django.urls import path

from notifications.announcements import api as announcements
from notifications.inbox import api
from notifications.sockets import api as sockets

urlpatterns = [
    path("websocket/ticket", sockets.TicketView.as_view(), name="api-websocket-ticket"),
    path("websocket/status", sockets.StatusView.as_view(), name="api-websocket-status"),
    path("websocket/broadcast", announcements.BroadcastView.as_view(), name="api-websocket-broadcast"),
    path("notifications", api.InboxView.as_view(), name="api-notifications"),
    path("notifications/center", api.CentreView.as_view(), name="api-notifications-center"),
    path("notifications/categories", api.CategoriesView.as_view(), name="api-notifications-categories"),
    path("notifications/search", api.SearchView.as_view(), name="api-notifications-search"),
    path("notifications/bulk-read", api.BulkReadView.as_view(), name="api-notifications-bulk-read"),
    path("notifications/bulk-delete", api.BulkDeleteView.as_view(), name="api-notifications-bulk-delete"),
    path("notifications/bulk-archive", api.BulkArchiveView.as_view(), name="api-notifications-bulk-archive"),
    path("notifications/export", api.ExportView.as_view(), name="api-notifications-export"),
    path("notifications/<int:notification_id>/read", api.ReadView.as_view(), name="api-notification-read"),
    path("notifications/<int:notification_id>/click", api.ClickView.as_view(), name="api-notification-click"),
]
