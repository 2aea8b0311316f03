from django.apps import AppConfig


class AccountsConfig(AppConfig):
    name = "accounts"
    verbose_name = "Accounts"

    def ready(self) -> None:
        from django.contrib import admin

        from accounts import (
            console,
            notices,  # noqa: F401  connects them
            receivers,  # noqa: F401
        )

        console.guard(admin.site)
