"""One SSH connection: who is this, and how much may they ask for before we know.

The rule that matters most: the key that signed is the key that counts. A client may ask about
many keys before it signs with one, so the candidate is overwritten at every question and read
only in `auth_completed`.
"""

from __future__ import annotations

import asyncio
from typing import Any, cast

import asyncssh

from hive import addresses, log, publickey
from hive.background import spawn
from hive.driver_error import DriverError
from hive.errors import HiveError, RefusalCause
from hive.kinds import AddressTrouble
from hive.sentences import say
from hive.services.gate import authentication, refusals
from hive.services.gate.authentication import Identity
from hive.services.gate.client_addresses import Observation
from hive.services.keys import refused_keys
from hive.services.server import database_watch
from sshgate import algorithms, words
from sshgate.channel import PACKET, WINDOW, GateChannel
from sshgate.gate import Gate
from sshgate.owner import OwnedSession
from sshgate.session import GateSession
from sshgate.transport import GateTransport

logger = log.get(__name__)

_LAST_WORDS_SECONDS = 1.0
_DATABASE_SECONDS = 20.0  # in which it must answer who this is
_MAX_REMEMBERED = 20  # refused keys of one connection
_QUESTIONS_PER_TRY = 4  # how often asyncssh asks for the methods at one try: twice, as a rule

# asyncssh answers these in a task, and by recursion whatever a client sent behind them meanwhile.
# Without a handler they are refused at once, like every request that is not known.
_ANSWERED_LATER = (
    "_process_tcpip_forward_global_request",
    "_process_streamlocal_forward_at_openssh_dot_com_global_request",
)

_COULD_BE_ADDED = (RefusalCause.UNKNOWN_KEY, RefusalCause.KEY_NOT_GRANTED)


class GateConnection(asyncssh.SSHServer):
    """What asyncssh asks about one connection."""

    def __init__(self, gate: Gate) -> None:
        self.gate = gate
        self.peer = ""
        self.login = ""
        self._asked_login = ""
        self._connection: GateTransport | None = None
        self._candidate: Identity | None = None
        self._identity: Identity | None = None
        self._tries = 0
        self._questions = 0
        self._refused: list[tuple[str, bytes]] = []  # (login, public key)
        self._channels: set[OwnedSession] = set()  # open ones
        self._running: set[OwnedSession] = set()  # those of them that were given a command
        self._idle: asyncio.TimerHandle | None = None
        self._deadline: asyncio.TimerHandle | None = None  # of the login

    @property
    def identity(self) -> Identity:
        """Who logged in; only ever asked for after that."""
        if self._identity is None:
            raise HiveError("Nobody has logged in on this connection.")
        return self._identity

    @property
    def client_version(self) -> str | None:
        if self._connection is None:
            return None
        version = self._connection.get_extra_info("client_version", "")
        return str(version)[:255] or None

    # before the login

    def connection_made(self, conn: asyncssh.SSHServerConnection) -> None:
        self._connection = cast("GateTransport", conn)
        self.peer = self._connection.arrival.peer
        self.gate.connections.add(self)
        settings = self.gate.settings
        soon = min(settings.key_exchange_seconds, settings.login_seconds)
        self._deadline = self.gate.loop.call_later(soon, self._require_keys, soon)
        for name in _ANSWERED_LATER:
            setattr(conn, name, None)
        # asyncssh does nothing with this word of the transport's.
        conn.resume_writing = self._resume_writing  # type: ignore[method-assign]

    def _require_keys(self, seconds: int) -> None:
        """A client that has not exchanged keys by now only holds a place."""
        if self._connection is None or self._identity is not None:
            return
        if not self._connection.has_keys:
            self._connection.turn_away(words.NO_KEY_EXCHANGE.format(seconds))
            return
        rest = self.gate.settings.login_seconds - seconds
        self._deadline = self.gate.loop.call_later(rest, self._require_login)

    def _require_login(self) -> None:
        if self._connection is not None and self._identity is None:
            seconds = self.gate.settings.login_seconds
            self._connection.turn_away(words.NO_LOGIN.format(seconds))

    def _resume_writing(self) -> None:
        for session in tuple(self._channels):
            session.flush()

    def connection_lost(self, exc: Exception | None) -> None:
        connection = self._connection
        if connection is None:
            return
        self._connection = None
        self.gate.connections.discard(self)
        if self._deadline is not None:
            self._deadline.cancel()
        if self._idle is not None:
            self._idle.cancel()
        if self._identity is None:
            self.gate.doorman.leave(connection.arrival)
            if isinstance(exc, asyncssh.KeyExchangeFailed):
                self._report_algorithms(connection, exc)
            elif connection.turned_away_because:
                self._report_turned_away(connection)
            elif not self._refused:
                logger.info("left before the login", peer=self.peer, reason=str(exc or "")[:300])
            self._report_refusals()

    def begin_auth(self, username: str) -> bool:
        self._asked_login = username
        return True

    def public_key_auth_supported(self) -> bool:
        # Asked at every try, of whatever kind: the only place to count those without a key.
        self._questions += 1
        if self._questions > _QUESTIONS_PER_TRY * self.gate.settings.max_tries:
            self._disconnect("Too many tries")
        return True

    async def validate_public_key(self, username: str, key: asyncssh.SSHKey) -> bool:
        """Whether the key may log in: asked for every key offered, signed or not."""
        self._candidate = None
        self._tries += 1
        if self._tries > self.gate.settings.max_tries:
            self._disconnect("Too many keys were offered")
            return False
        if len(username) > self.gate.settings.max_login_length:
            return False
        if database_watch.is_silent():
            await self._say_no_database()
            return False
        fingerprint = publickey.fingerprint(key.public_data)
        try:
            async with asyncio.timeout(_DATABASE_SECONDS):
                found = await authentication.authenticate(username, fingerprint, self.peer)
        except (HiveError, DriverError, TimeoutError) as error:
            logger.error("login refused: no answer from the database", reason=str(error))
            await self._say_no_database()
            return False
        # asyncssh takes signatures with SHA-1 as well, though they are not on offer.
        key.all_sig_algorithms = key.all_sig_algorithms & algorithms.TAKEN
        self._candidate = found
        if found is None and len(self._refused) < _MAX_REMEMBERED:
            self._refused.append((username, key.public_data))
        return found is not None

    async def _say_no_database(self) -> None:
        """Turn a client away whose key cannot be looked up, with words that reach its user.

        borg does not show what comes together with the end of the connection.
        """
        if self._connection is not None:
            self._connection.send_auth_banner(f"{words.NO_DATABASE}\r\n")
            await asyncio.sleep(_LAST_WORDS_SECONDS)
        if self._connection is not None:
            self._connection.turn_away(words.NO_DATABASE)

    def auth_completed(self) -> None:
        # First of all, and once: whatever the client asks about later changes nothing.
        self._identity, self._candidate = self._candidate, None
        connection = self._connection
        if connection is None:
            return
        if self._identity is None or connection.get_extra_info("username") != self._identity.login:
            self._identity = None
            self._disconnect("Not logged in")
            return
        self.login = self._identity.login
        self.gate.doorman.logged_in(connection.arrival)
        logger.info(
            "logged in",
            login=self.login,
            peer=self.peer,
            fingerprint=self._identity.fingerprint,
            client=self.client_version,
        )
        self._watch_idle()

    def _disconnect(self, reason: str) -> None:
        if self._connection is not None:
            self._connection.disconnect(asyncssh.DISC_NO_MORE_AUTH_METHODS_AVAILABLE, reason)

    def _report_algorithms(self, connection: GateTransport, error: Exception) -> None:
        """Say which algorithms were missing, and which setting would help."""
        client = str(connection.get_extra_info("client_version", ""))[:255]
        reason = algorithms.explain(
            self.gate.settings.algorithms, connection.client_offer, str(error)
        )
        logger.warning("no common algorithm", peer=self.peer, client=client, reason=reason)
        self.gate.doorman.observe(
            Observation(
                address=addresses.limit_group(self.peer),
                trouble=AddressTrouble.NO_COMMON_ALGORITHM,
                reason=reason,
                client=client,
            )
        )

    def _report_turned_away(self, connection: GateTransport) -> None:
        reason = connection.turned_away_because
        login = self._asked_login[: self.gate.settings.max_login_length]
        logger.info("turned away", peer=self.peer, login=login, reason=reason)
        if login:
            spawn(refusals.note_turned_away(login, self.peer, reason), name="report turned away")

    def _report_refusals(self) -> None:
        """Say why nobody got in; keys that an agent offered before the right one are no news."""
        for login, key in self._refused:
            spawn(self._report(login, key), name="report refused login")

    async def _report(self, login: str, key: bytes) -> None:
        fingerprint = publickey.fingerprint(key)
        cause, repository_id = await refusals.explain(login, fingerprint, self.peer)
        logger.warning(
            "login refused",
            cause=str(cause),
            login=login,
            peer=self.peer,
            fingerprint=fingerprint,
        )
        if repository_id is not None:
            await refusals.record(
                repository_id,
                cause,
                say(
                    "Login refused, %(cause)s: %(fingerprint)s from %(peer)s.",
                    cause=cause,
                    fingerprint=fingerprint,
                    peer=self.peer,
                ),
                fingerprint=fingerprint,
                peer=self.peer,
            )
            if cause in _COULD_BE_ADDED:
                await refused_keys.note(repository_id, key, self.peer)

    # after the login

    def session_requested(self) -> Any:  # noqa: ANN401 - asyncssh's own type is not public
        if self._connection is None or self._identity is None:
            return False
        if self.gate.doorman.is_banned(self.peer):
            return False
        if len(self._channels) >= self.gate.settings.max_channels_per_connection:
            return False
        session = GateSession(self)
        self._channels.add(session)
        channel = GateChannel(
            self._connection,
            self.gate.loop,
            allow_pty=False,
            line_editor=False,
            line_echo=False,
            line_history=0,
            max_line_length=0,
            encoding=None,
            errors="strict",
            window=WINDOW,
            max_pktsize=PACKET,
        )
        channel.environment_requests_left = self.gate.settings.max_environment_requests
        return channel, session

    def session_started(self, session: OwnedSession) -> None:
        self._running.add(session)
        if self._idle is not None:
            self._idle.cancel()
            self._idle = None

    def session_done(self, session: OwnedSession) -> None:
        """The command is over; the client may take its time to close the channel."""
        self._running.discard(session)
        self._watch_idle()

    def session_ended(self, session: OwnedSession) -> None:
        self._channels.discard(session)
        self.session_done(session)

    def _watch_idle(self) -> None:
        """Close a connection that has had no session for a while."""
        if not self._running and self._idle is None and self._connection is not None:
            seconds = self.gate.settings.idle_connection_seconds
            self._idle = self.gate.loop.call_later(seconds, self._close_idle)

    def _close_idle(self) -> None:
        self._idle = None
        self.close("No session was opened")

    def close_if_unused(self, reason: str) -> None:
        """Close the connection at once unless a session runs on it."""
        if not self._running:
            self.close(reason)

    def close(self, reason: str) -> None:
        if self._connection is not None:
            self._connection.disconnect(asyncssh.DISC_BY_APPLICATION, reason)
