"""How often may somebody try? Strangers must not be able to lock anybody out of their account.

A wrong password counts three times: for the network (across accounts), for the account from this
network, and for the account as a whole. Networks are refused; an account is only slowed down, so
the right password from elsewhere always gets in. A browser that logged in to the account before
has a separate count and is subject to none of the others. Everything is kept in memory, for a
limited number of names and networks.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import dataclass
from datetime import timedelta

from hive import clock, memory, signals
from hive.addresses import limit_group
from hive.errors import Forbidden
from hive.services import runtime
from hive.services.attempts import Tries
from hive.signals import Happening, TriesForgiven

_DAY, _HOUR = timedelta(days=1), timedelta(hours=1)
_STEP_SECONDS, _MOST_SECONDS = 0.1, 3.0
_MAX_WAITING_OF_ONE_NETWORK = 10
_MAX_WAITING = 300  # of more, nobody waits: the hashing of passwords is slow enough
_CODES_FACTOR = 5
_OWN = "logged in"  # takes the place of a browser's name


@dataclass(frozen=True)
class Attempt:
    """One try, counted already: those made all at once are limited as well.

    `delay`: seconds to wait before the answer is looked for. `is_suspicious`: the account had so
    many wrong tries that its owner should know.
    """

    _counted: tuple[tuple[Tries, str, float], ...]
    network: str
    delay: float = 0.0
    is_suspicious: bool = False

    def forgive(self) -> None:
        """It was right, so it does not count."""
        for tries, who, at in self._counted:
            tries.forgive(who, at)


class Limiter:
    """Counts what was wrong against the limits on logins in the settings."""

    def __init__(self, refusal: str, *, account_factor: int | None = None) -> None:
        """`account_factor`: refuse the account as a whole from so many times the limit on."""
        self._refusal = refusal
        self._account_factor = account_factor
        self._by_network = Tries()
        self._by_pair = Tries()
        self._by_account = Tries()
        self._by_browser = Tries()

    def attempt(self, account: str, address: str | None, browser: str | None = None) -> Attempt:
        """Count a try, to be forgiven where it was right; Forbidden where there were too many.

        `browser` names a browser that logged in to this account before.
        """
        settings = runtime.settings().web
        name, network = _name(account), limit_group(address or "unknown")
        limit = settings.login_tries_per_account_per_day
        if browser is not None:
            who = f"{name}\n{browser}"
            self._require(self._by_browser, who, limit, _DAY)
            counted = (self._by_browser, who, self._by_browser.count(who))
            is_last = self._by_browser.are_used_up(who, limit, _DAY)
            return Attempt((counted,), network, is_suspicious=is_last)
        pair = f"{name}\n{network}"
        self._require(self._by_network, network, settings.login_tries_per_address_per_hour, _HOUR)
        self._require(self._by_pair, pair, limit, _DAY)
        before = self._by_account.number(name, _DAY)
        if self._account_factor is not None and before >= limit * self._account_factor:
            raise Forbidden(self._refusal)
        now = clock.now().timestamp()  # one moment for all: see forgive_account
        counts = ((self._by_network, network), (self._by_pair, pair), (self._by_account, name))
        return Attempt(
            tuple((tries, who, tries.count(who, now)) for tries, who in counts),
            network,
            delay=min(max(0, before - limit) * _STEP_SECONDS, _MOST_SECONDS),
            is_suspicious=before + 1 >= limit,
        )

    def attempt_own(self, account: str) -> Attempt:
        """The same for somebody who is logged in to the account: it alone counts."""
        return self.attempt(account, None, _OWN)

    def _require(self, tries: Tries, who: str, limit: int, span: timedelta) -> None:
        if tries.are_used_up(who, limit, span):
            raise Forbidden(self._refusal)

    def number(self, account: str) -> int:
        """How many wrong tries there were for an account within a day."""
        return self._by_account.number(_name(account), _DAY)

    def forgive_account(self, account: str) -> None:
        """Forget what was wrong for an account, also where it counted for a network."""
        name = _name(account)
        self._by_account.take_all(name)
        for who in self._by_browser.names():
            if who.startswith(f"{name}\n"):
                self._by_browser.take_all(who)
        for pair in self._by_pair.names():
            owner, _, network = pair.partition("\n")
            if owner == name:
                for at in self._by_pair.take_all(pair):
                    self._by_network.forgive(network, at)


def _name(account: str) -> str:
    # Names hold no newline, which separates them from what follows in a key.
    return " ".join(account.split()).casefold()[:150]


class Limits:
    """Everything that is counted."""

    def __init__(self) -> None:
        self.passwords = Limiter("Too many wrong passwords. Try again later.")
        # Who types a code knows the password already, and codes are short: here the account has
        # a limit.
        self.codes = Limiter("Too many wrong codes. Try again later.", account_factor=_CODES_FACTOR)
        # Of people who are logged in: what strangers do at the login page must not count here.
        self.confirmations = Limiter("Too many wrong passwords. Try again later.")
        self.own_codes = Limiter("Too many wrong codes. Try again later.")
        self.reset_mails_to = Tries()
        self.reset_mails_from = Tries()
        self.incidents = Tries()
        self.waiting: Counter[str] = Counter()


_REQUESTS_PER_ADDRESS = 10
_MAILS_PER_ACCOUNT = 3


def limits() -> Limits:
    """What was counted since the start."""
    return memory.of(Limits)


async def slow_down(attempt: Attempt) -> None:
    """Wait as long as the attempt has to; Forbidden where too many of its network wait already."""
    waiting = limits().waiting
    if attempt.delay <= 0 or waiting.total() >= _MAX_WAITING:
        return
    if waiting[attempt.network] >= _MAX_WAITING_OF_ONE_NETWORK:
        raise Forbidden("Too many logins from your network at the same time. Try again.")
    waiting[attempt.network] += 1
    try:
        await asyncio.sleep(attempt.delay)
    finally:
        waiting[attempt.network] -= 1
        if waiting[attempt.network] <= 0:
            del waiting[attempt.network]


def is_new_incident(name: str) -> bool:
    """Whether the last suspicious try for this account is a day ago, or was forgiven."""
    incidents = limits().incidents
    is_new = not incidents.are_used_up(_name(name), 1, _DAY)
    incidents.take_all(_name(name))
    incidents.count(_name(name))
    return is_new


def codes_account(user_id: int) -> str:
    """The name under which codes of a user are counted."""
    return f"user {user_id}"


def forgive(user_id: int, name: str) -> None:
    """Forget the wrong tries of a user, in this process; see `announce`."""
    ours = limits()
    ours.passwords.forgive_account(name)
    for limiter in (ours.codes, ours.confirmations, ours.own_codes):
        limiter.forgive_account(codes_account(user_id))
    ours.reset_mails_to.take_all(str(user_id))
    ours.incidents.take_all(_name(name))


def announce(user_id: int, name: str) -> None:
    """Forget the wrong tries of a user, here and in the running server. Call after commit."""
    forgive(user_id, name)
    signals.tell(TriesForgiven(user_id, name))


def on_happening(happening: Happening) -> None:
    """For the server: a command changed a password or unlocked an account."""
    if isinstance(happening, TriesForgiven):
        forgive(happening.user_id, happening.name)


def count_reset_request(address: str) -> None:
    """Forbidden where this address asked for too many reset mails."""
    network = limit_group(address)
    asked = limits().reset_mails_from
    if asked.are_used_up(network, _REQUESTS_PER_ADDRESS, _HOUR):
        raise Forbidden("Too many of these requests. Try again in an hour.")
    asked.count(network)


def may_mail_reset(account: str) -> bool:
    """Whether one more reset mail goes to this account; nobody can fill somebody's mailbox."""
    mailed = limits().reset_mails_to
    if mailed.are_used_up(account, _MAILS_PER_ACCOUNT, _HOUR):
        return False
    mailed.count(account)
    return True
