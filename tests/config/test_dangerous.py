from __future__ import annotations

import pytest

from hive.config import dangers, settings
from hive.config.settings import Settings
from hive.errors import ConfigError


def sentences(**environment: str) -> list[str]:
    variables = {f"HIVE_{name}": value for name, value in environment.items()}
    return dangers.dangerous(settings.load(None, environment=variables))


def test_nothing_is_dangerous_by_default() -> None:
    assert dangers.dangerous(Settings()) == []


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("SERVER__LOG_LEVEL", "debug"),
        ("SSH__ALGORITHMS", "compatible"),
        ("SSH__KEEPALIVE_SECONDS", "0"),
        ("SSH__MAX_TRIES", "101"),
        ("WEB__LISTEN", "0.0.0.0:8080"),
        ("STORAGE__TRASH_DAYS", "0"),
        ("CHILD__USER", "root"),
        ("CHILD__ALLOW_ROOT", "true"),
        ("CHILD__LANDLOCK", "false"),
        ("CHILD__MEMORY_BYTES", "none"),
        ("CHILD__FILE_BYTES", "none"),
    ],
)
def test_a_dangerous_setting_is_named(variable: str, value: str) -> None:
    [sentence] = sentences(**{variable: value})
    assert sentence.startswith(f"{variable.lower().replace('__', '.')} is {value}")


def test_web_beyond_this_machine_is_fine_behind_https() -> None:
    listen = "[::]:8080"
    assert sentences(WEB__LISTEN=listen, WEB__PUBLIC_URL="https://hive.example.org/") == []
    assert len(sentences(WEB__LISTEN=listen, WEB__PUBLIC_URL="http://hive.example.org")) == 1
    assert sentences(WEB__LISTEN="localhost:8080") == []


def test_allowed_networks_and_unencrypted_mail_are_named() -> None:
    [networks] = sentences(NOTIFICATIONS__ALLOWED_NETWORKS="10.0.0.0/8,192.168.7.0/24")
    assert networks.startswith("notifications.allowed_networks is 10.0.0.0/8, 192.168.7.0/24: ")
    [mail] = sentences(MAIL__SECURITY="none", MAIL__HOST="mail.example.org")
    assert mail.startswith("mail.security is none: ")
    assert sentences(MAIL__SECURITY="none", MAIL__HOST="localhost") == []


def test_a_sender_is_one_plain_address() -> None:
    for wrong in ("alice", "Alice <alice@example.org>", "a@b\nBcc: c@d", "älice@example.org"):
        with pytest.raises(ConfigError, match=r"mail\.sender must be one e-mail address"):
            settings.load(None, environment={"HIVE_MAIL__SENDER": wrong})


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://hive.example.org", True),
        ("HTTPS://hive.example.org/", True),
        ("http://https.example.org", False),
    ],
)
def test_pages_are_on_https_where_people_type_that(url: str, expected: bool) -> None:
    """Cookies, headers and the check of a form's origin depend on it."""
    loaded = settings.load(None, environment={"HIVE_WEB__PUBLIC_URL": url})
    assert loaded.web.is_https is expected
    assert Settings().web.is_https is False
