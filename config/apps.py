from django.apps import AppConfig
from django.contrib.admin import apps as admin_apps


class ConfigConfig(AppConfig):
    name = "config"
    verbose_name = "Ringfence"

    def ready(self) -> None:
        from config import checks  # noqa: F401  registers the deployment checks


class ConsoleConfig(admin_apps.AdminConfig):
    """django.contrib.admin with the console as its site."""

    default = False
    default_site = "accounts.console.ConsoleSite"
