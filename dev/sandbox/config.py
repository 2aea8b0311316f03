from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class SandboxConfig:
    """What the sandbox is told when it starts. Every field has a default that suits tests.

    The last group are the starting values (and what `POST /__ctl/reset` returns to) of what
    `POST /__ctl/settings` changes while it runs.
    """

    textverified_api_key: str = "sandbox-textverified-key"
    textverified_username: str = "sandbox@ringfence.test"
    textverified_webhook_secret: str = "whsec_sandbox_textverified"
    stripe_secret_key: str = "sk_test_sandbox"
    stripe_webhook_secret: str = "whsec_sandbox_stripe"
    mail_dir: Path | None = None
    state_file: Path | None = None
    base_url: str = ""  # how browsers reach the sandbox; by default as the caller addressed it

    public_url: str = "http://127.0.0.1:8000"
    webhook_enabled: bool = True
    cancel_lock_seconds: float = 0
    token_seconds: float = 900
    latency_ms: float = 0
    seed: int = 0

    @classmethod
    def from_settings(cls, settings: Any, **other: Any) -> "SandboxConfig":
        """Read Django's settings (or anything with these attributes); an empty credential keeps its default."""
        names = {
            "public_url": "PUBLIC_URL",
            "textverified_api_key": "TEXTVERIFIED_API_KEY",
            "textverified_username": "TEXTVERIFIED_USERNAME",
            "textverified_webhook_secret": "TEXTVERIFIED_WEBHOOK_SECRET",
            "stripe_secret_key": "STRIPE_SECRET_KEY",
            "stripe_webhook_secret": "STRIPE_WEBHOOK_SECRET",
        }
        given = {name: getattr(settings, setting, "") for name, setting in names.items()}
        return cls(**{**{name: value for name, value in given.items() if value}, **other})
