"""Browsers as people call them."""

from django import template

from activity.devices import device as name_of

register = template.Library()


@register.filter
def device(user_agent: str) -> str:
    return name_of(user_agent)
