"""How often may somebody try? A limit for each account, and one for each address."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from hive.errors import Forbidden
from hive.services import runtime
from hive.services.tries import Tries, network_of


@dataclass(frozen=True)
class Attempt:
    """One try, counted already: those made all at once are limited as well."""

    _counted: tuple[tuple[Tries, str, float], ...]

    def forgive(self) -> None:
        """It was right, so it does not count."""
        for tries, who, at in self._counted:
            tries.forgive(who, at)


class Limiter:
    """Counts what was wrong, in memory, against the limits on logins in the settings."""

    def __init__(self, refusal: str) -> None:
        self._refusal = refusal
        self._by_account = Tries()
        self._by_address = Tries()

    def attempt(self, account: str, address: str | None) -> Attempt:
        """Count a try, to be forgiven where it was right; Forbidden where there were too many."""
        settings = runtime.settings().web
        account, network = account.casefold()[:150], network_of(address or "unknown")
        if self._by_account.are_used_up(
            account, settings.login_tries_per_account_per_day, timedelta(days=1)
        ) or self._by_address.are_used_up(
            network, settings.login_tries_per_address_per_hour, timedelta(hours=1)
        ):
            raise Forbidden(self._refusal)
        return Attempt(
            (
                (self._by_account, account, self._by_account.count(account)),
                (self._by_address, network, self._by_address.count(network)),
            )
        )

    def forget(self) -> None:
        self._by_account.forget()
        self._by_address.forget()


passwords = Limiter("Too many wrong passwords. Try again later.")
codes = Limiter("Too many wrong codes. Try again later.")
_reset_mails_to = Tries()
_reset_mails_from = Tries()
_REQUESTS_PER_ADDRESS = 10
_MAILS_PER_ACCOUNT = 3
_HOUR = timedelta(hours=1)


def count_reset_request(address: str) -> None:
    """Forbidden where this address asked for too many reset mails."""
    network = network_of(address)
    if _reset_mails_from.are_used_up(network, _REQUESTS_PER_ADDRESS, _HOUR):
        raise Forbidden("Too many of these requests. Try again in an hour.")
    _reset_mails_from.count(network)


def may_mail_reset(account: str) -> bool:
    """Whether one more reset mail goes to this account; nobody can fill somebody's mailbox."""
    if _reset_mails_to.are_used_up(account, _MAILS_PER_ACCOUNT, _HOUR):
        return False
    _reset_mails_to.count(account)
    return True


def forget() -> None:
    """Start counting afresh; for a new server in the same process, as in tests."""
    for limiter in (passwords, codes):
        limiter.forget()
    _reset_mails_to.forget()
    _reset_mails_from.forget()
