"""People for tests."""

import time
from functools import cache
from itertools import count

from django.conf import settings
from django.contrib.auth.hashers import make_password
from django.test import Client

from accounts.models import PolicyAcceptance, User

_numbers = count(1)
_hash_of = cache(make_password)  # a real one costs a tenth of a second: each password once a process


def make_user(
    email: str = "", *, password: str = "correct-horse-battery", accepted: bool = True, **fields: object
) -> User:
    """A customer with a verified-looking address, who has accepted the policy unless told otherwise."""
    email = email or f"customer{next(_numbers)}@example.test"
    user = User(email=User.objects.normalize_email(email).lower(), password=_hash_of(password), **fields)
    user.save()
    if accepted:
        PolicyAcceptance.objects.create(user=user, version=settings.POLICY_VERSION)
    return user


def confirm(client: Client, user: User, *, seconds_ago: float = 0) -> Client:
    """The client, as after its signed-in user has typed the password again."""
    session = client.session
    record = {"method": "password", "at": time.time() - seconds_ago, "reauthenticated": True}
    session["account_authentication_methods"] = [record]
    session["account_authentication_methods_user"] = str(user.pk)
    session.save()
    return client
