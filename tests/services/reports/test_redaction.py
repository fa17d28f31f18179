from __future__ import annotations

import time

import pytest

from hive.services.reports.redaction import redact

TOKEN = "xq7_Zt-0aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (
            f"Using Healthchecks ping URL https://hive.example/ping/{TOKEN}/start",
            "Using Healthchecks ping URL https://hive.example/ping/***/start",
        ),
        (f"using {TOKEN} here", "using *** here"),
        (
            "https://kuma.example/api/push/abcDEF1234?status=up",
            "https://kuma.example/api/push/***?status=up",
        ),
        (
            "https://hc-ping.com/6b7ff2a1-1111-2222-3333-444455556666/fail",
            "https://hc-ping.com/***/fail",
        ),
        ("pinging //ping//AnotherToken1234//start", "pinging //ping//***//start"),
        ("BORG_PASSPHRASE='secret' borg", "BORG_PASSPHRASE='***' borg"),
        ("https://me:pa55word@host/x", "https://me:***@host/x"),
        ("Authorization: Bearer abc.def-123", "Authorization: Bearer ***"),
        ("Creating archive at ssh://k3v9x2ab@h:2222/./d::a", None),
        ("Time (start): Mon, 2026-11-23 14:55:51", None),
    ],
)
def test_secrets_go_and_the_rest_stays(line: str, expected: str | None) -> None:
    assert redact(line, TOKEN) == (expected or line)


@pytest.mark.parametrize(
    "piece", ["://", "/ping/", "a:", "token=", "Bearer ", "://a:b", "x" * 50, "/p/" * 9, "\n"]
)
def test_a_megabyte_of_anything_is_read_in_no_time(piece: str) -> None:
    text = piece * (1_100_000 // len(piece))
    begun = time.monotonic()
    redact(text, TOKEN)
    assert time.monotonic() - begun < 5
