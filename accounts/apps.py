from django.apps import AppConfig


class AccountsConfig(AppConfig):
    name = "accounts"
    verbose_name = "Accounts"

    def ready(self) -> None:
        from django.contrib import admin

        from accounts import (
            console,
            receivers,  # noqa: F401  connects them
        )

        console.guard(admin.site)
