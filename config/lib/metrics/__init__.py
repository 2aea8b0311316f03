"""The Prometheus metrics, shared by all processes where PROMETHEUS_MULTIPROC_DIR is set.

A gauge says how the values of several processes are combined: `livesum` adds up those of the living, `mostrecent` takes
the last that was set, for one thing that all see.
"""

from prometheus_client import Counter, Gauge, Histogram

from config.lib.metrics.multiprocess import share_between_processes

share_between_processes()  # before the first metric is made

transactions_total = Counter("transactions_total", "Journal rows posted", ["type", "status"])
notifications_total = Counter("notifications_total", "Inbox rows written", ["type", "success"])
refund_latency_seconds = Histogram("refund_latency_seconds", "End of the verification to its refund committed")
websocket_connections = Gauge("websocket_connections", "Open sockets", multiprocess_mode="livesum")
websocket_messages_total = Counter("websocket_messages_total", "Frames published", ["type"])
notification_polls_total = Counter("notification_polls_total", "Clients without a socket asking what is new")
broadcasts_total = Counter("broadcasts_total", "Announcements of staff", ["to"])
provider_requests_total = Counter(
    "provider_requests_total", "Calls to the SMS provider", ["provider", "operation", "outcome"]
)
provider_latency_seconds = Histogram(
    "provider_latency_seconds", "Time of a call to the SMS provider", ["provider", "operation"]
)
rows_put_aside_total = Counter(
    "rows_put_aside_total", "Rows of background work left for later, since they could not be had", ["work", "why"]
)
gateway_events_total = Counter("gateway_events_total", "Webhooks of payment gateways", ["gateway", "type", "outcome"])
breaker_state = Gauge(
    "breaker_state",
    "0 closed, 1 half-open, 2 open; with a service, of that service alone",
    ["vendor", "operation", "service"],
    multiprocess_mode="mostrecent",
)
vendor_calls_refused_total = Counter(
    "vendor_calls_refused_total", "Calls not made because their bulkhead was full", ["vendor", "operation"]
)
vendor_calls_abandoned_total = Counter(
    "vendor_calls_abandoned_total", "Calls that outlasted the patience of the request", ["vendor", "operation"]
)
provider_rows_unreadable_total = Counter(
    "provider_rows_unreadable_total", "Rows of the SMS provider's lists that could not be read", ["provider", "list"]
)
provider_float = Gauge("provider_float", "Our balance at the provider", ["provider"], multiprocess_mode="mostrecent")
