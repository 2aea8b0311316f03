"""The front page of the API's description, and its tags."""

from __future__ import annotations

from typing import Any

from django.conf import settings

from config.lib.errors.registry import documented_errors

TAGS = {
    "catalogue": "What may be bought, where, for how much.",
    "verifications": "Buy a number, wait for its code, give it back.",
    "wallet": "What you have, and where every cent went.",
    "payments": "Top up.",
    "refunds": "What came back, and why.",
    "notifications": "What you were told.",
    "activities": "Everything that happened on your account.",
    "websocket": "News as it happens.",
    "keys": "API keys and what they may do.",
    "policy": "The acceptable-use policy.",
    "staff": "For staff alone.",
}
_SPANS = {"s": "second", "m": "minute", "h": "hour", "d": "day"}  # as DRF reads a rate
_FRONT_PAGE = """\
Buy a temporary number, receive the code, see where every cent went.

## Quick start

Make a key under *Settings, API keys*, and try it on a service that costs little and always gets its code
(`test_success` is for sale where one tries things out):

```
export KEY=rf_…

curl {url}/api/wallet/balance -H "Authorization: Bearer $KEY"

curl -X POST {url}/api/v1/verify/create \\
     -H "Authorization: Bearer $KEY" -H "Content-Type: application/json" \\
     -H "Idempotency-Key: my-first-number" \\
     -d '{{"service_name": "test_success", "country": "US", "max_price": "1.00"}}'

curl {url}/api/v1/verify/ID -H "Authorization: Bearer $KEY"
```

Ask again until `status` is `completed` (then `code` is there) or one of `timed_out`, `cancelled`, `failed` (then
`refund` is there, or nothing was charged). Or open a socket with `POST /api/websocket/ticket` and be told.

## What holds everywhere

* **Keys** go into `Authorization: Bearer KEY` and have scopes: `read` to look, `buy` for numbers, `pay` for top-ups,
  `manage` for keys, notifications and the policy. Pages use their session and a CSRF token instead.
* **Money** is a string with two places (`"2.50"`), **times** are ISO 8601 in UTC, **bodies** are JSON.
* **Once only:** send an `Idempotency-Key` of your own with what costs money. The same request under the same key does
  nothing twice: it is answered 200 with `Idempotent-Replayed: true`. Another request under a used key is 422.
* **Lists** take `skip` and `limit` (1 to 100) and say the `total` of what the filters leave, whatever the page. Where
  rows can be many, `before` goes on below a row and `after` above it, at the same cost however deep. Newest first.
* **Throttles:** {key} for each key (without one: each user), {user} for all keys of a user together, and for purchases
  {purchase} for each user. What is above is 429 with `Retry-After`.
* **Unknown outcome:** where the provider's answer is lost, a purchase is 201 with the status `requested` and settles by
  itself: read it again.
* Each answer has an `X-Request-ID`.

## Errors

`application/problem+json` (RFC 9457): `type`, `title`, `status`, `detail`, `code`, `errors`. Decide by `code`.

| code | status | what to do |
| --- | --- | --- |
{rows}
"""


def front_page() -> str:
    """Return what stands above the operations, as Markdown."""
    rows = "\n".join(f"| `{code}` | {one.status} | {one.remedy} |" for code, one in documented_errors().items())
    rates: dict[str, Any] = settings.REST_FRAMEWORK["DEFAULT_THROTTLE_RATES"]  # type: ignore[assignment]
    words = {name: f"{rate.partition('/')[0]} a {_SPANS[rate.partition('/')[2][0]]}" for name, rate in rates.items()}
    return _FRONT_PAGE.format(url=settings.PUBLIC_URL, rows=rows, **words)
