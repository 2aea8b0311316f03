"""Requests of people who are signed in."""

from __future__ import annotations

from django.http import HttpRequest

from accounts.models import User


class CustomerRequest(HttpRequest):
    """What a page behind `login_required` gets: somebody is there."""

    user: User
