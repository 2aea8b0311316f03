"""People for tests."""

from itertools import count

from django.conf import settings

from accounts.models import PolicyAcceptance, User

_numbers = count(1)


def make_user(
    email: str = "", *, password: str = "correct-horse-battery", accepted: bool = True, **fields: object
) -> User:
    """A customer with a verified-looking address, who has accepted the policy unless told otherwise."""
    user = User.objects.create_user(email or f"customer{next(_numbers)}@example.test", password, **fields)
    if accepted:
        PolicyAcceptance.objects.create(user=user, version=settings.POLICY_VERSION)
    return user
