"""What frames hold, and where they may come from. No database."""

import json

import pytest
from msgspec import to_builtins

from notifications.realtime import frames
from notifications.routing import is_ours

ID = "6d9e21f6-0d5a-4c9a-9f6f-1f6f1f0b7d11"


@pytest.mark.parametrize(
    ("text", "code"),
    [
        (None, "bad_frame"),
        ("no json", "bad_frame"),
        ("[]", "bad_frame"),
        ("{}", "bad_frame"),
        ('{"type": 1}', "bad_frame"),
        ('{"type": ["ping"]}', "bad_frame"),
        ('{"type": "dance"}', "unknown_type"),
        ('{"type": "hello"}', "unknown_type"),
        ('{"type": "resume"}', "bad_frame"),
        ('{"type": "resume", "after": -1}', "bad_frame"),
        ('{"type": "resume", "after": "1"}', "bad_frame"),
        ('{"type": "resume", "after": true}', "bad_frame"),
        ('{"type": "resume", "after": 1.5}', "bad_frame"),
        ('{"type": "resume", "after": 1e400}', "bad_frame"),
        ('{"type": "resume", "after": NaN}', "bad_frame"),
        ('{"type": "resume", "after": 99999999999999999999}', "bad_frame"),
        ('{"type": "read", "ids": []}', "bad_frame"),
        ('{"type": "read", "ids": "all"}', "bad_frame"),
        ('{"type": "read", "ids": [1, "2"]}', "bad_frame"),
        (json.dumps({"type": "read", "ids": [1] * 101}), "bad_frame"),
        ('{"type": "ping", "extra": 1}', "bad_frame"),
        ('{"type": "ack"}', "bad_frame"),
        ('{"type": "subscribe", "channel": {}}', "bad_frame"),
        ('{"type": "auth", "token": ""}', "bad_frame"),
        ("[" * 16_000, "bad_frame"),
        ("9" * 16_000, "bad_frame"),
        ('{"type": "ping", "x": "' + "y" * 20_000 + '"}', "bad_frame"),
    ],
)
def test_a_clients_frame_that_is_not_declared_is_refused(text, code):
    with pytest.raises(frames.BadFrame) as refused:
        frames.parse(text)
    assert refused.value.code == code


@pytest.mark.parametrize(
    "frame",
    [
        {"type": "auth", "token": "rf_key"},
        {"type": "ping"},
        {"type": "subscribe", "channel": "balance"},
        {"type": "unsubscribe", "channel": "balance"},
        {"type": "resume", "after": 0},
        {"type": "read", "ids": [1, 2]},
        {"type": "ack", "seq": 7},
    ],
)
def test_a_clients_frame_as_declared_is_read(frame):
    assert to_builtins(frames.parse(json.dumps(frame))) == frame


def test_every_channel_that_frames_travel_on_can_be_subscribed_to():
    assert {frame.channel for frame in frames.FROM_SERVER.values()} - {""} == frames.CHANNELS | frames.CONSOLE


@pytest.mark.parametrize(
    ("channel", "found"),
    [(f"verification:{ID}", ID), ("verification:1", "None"), (f"payment:{ID}", "None"), ("verification", "None")],
)
def test_the_channel_of_one_verification_names_it(channel, found):
    assert str(frames.verification_of_channel(channel)) == found


@pytest.mark.parametrize(
    ("origin", "ours"),
    [
        ("http://localhost:8000", True),
        ("http://localhost:8001", False),
        ("http://localhost", False),
        ("https://evil.test", False),
        ("null", False),
        ("", False),
        ("http://localhost:8000.evil.test", False),
        ("http://evil.test@localhost:8000", False),
    ],
)
def test_a_page_is_ours_by_host_and_port(origin, ours, settings):
    settings.CSRF_TRUSTED_ORIGINS = []
    assert is_ours(origin, host="localhost:8000") is ours


def test_a_host_that_is_not_allowed_is_not_ours(settings):
    settings.ALLOWED_HOSTS = ["ringfence.test"]
    assert is_ours("http://evil.test", host="evil.test") is False


def test_where_cookies_are_secure_a_page_without_encryption_is_not_ours(settings):
    settings.SESSION_COOKIE_SECURE = True
    assert is_ours("http://shop.test", host="shop.test") is False
    assert is_ours("https://shop.test", host="shop.test") is True


def test_the_public_address_is_ours_whatever_host_a_proxy_passes_on(settings):
    settings.CSRF_TRUSTED_ORIGINS = ["https://ringfence.test"]
    assert is_ours("https://ringfence.test", host="10.0.0.1:8000") is True
