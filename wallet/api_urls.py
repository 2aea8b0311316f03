"""API paths of this app."""

from django.urls import path

from wallet import api

urlpatterns = [
    path("wallet/balance", api.BalanceView.as_view(), name="api-wallet-balance"),
    path("wallet/transactions", api.TransactionsView.as_view(), name="api-wallet-transactions"),
    path("wallet/transactions/detailed", api.DetailedView.as_view(), name="api-wallet-transactions-detailed"),
    path("wallet/transactions/export", api.ExportView.as_view(), name="api-wallet-transactions-export"),
    path("admin/transactions/monitor", api.MonitorView.as_view(), name="api-admin-transactions-monitor"),
]
