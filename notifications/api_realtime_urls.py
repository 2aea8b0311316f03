"""API paths of the sockets."""

from django.urls import path

from notifications import api_realtime

urlpatterns = [
    path("websocket/ticket", api_realtime.TicketView.as_view(), name="api-websocket-ticket"),
    path("websocket/status", api_realtime.StatusView.as_view(), name="api-websocket-status"),
    path("websocket/broadcast", api_realtime.BroadcastView.as_view(), name="api-websocket-broadcast"),
]
