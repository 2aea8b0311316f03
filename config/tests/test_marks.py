"""Code in running text, and keys in groups."""

from __future__ import annotations

import pytest

from config.templatetags.marks import backticks, fours


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Wait `retry_after` seconds.", "Wait <code>retry_after</code> seconds."),
        ("`a` or `b`", "<code>a</code> or <code>b</code>"),
        ("<b> & `<i>`", "&lt;b&gt; &amp; <code>&lt;i&gt;</code>"),
        ("one ` alone", "one ` alone"),
        ("", ""),
    ],
)
def test_backticks_become_code_and_all_else_is_escaped(text: str, shown: str) -> None:
    assert backticks(text) == shown


@pytest.mark.parametrize(("key", "shown"), [("ABCDEFGHIJ", "ABCD EFGH IJ"), ("ABCD", "ABCD"), ("", "")])
def test_keys_are_shown_in_fours(key: str, shown: str) -> None:
    assert fours(key) == shown
