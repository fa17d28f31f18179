"""What can go wrong, in words for the person who reads it.

    HiveError
      ConfigError         the configuration is wrong: names the line or the key
      InvalidInput        what was given cannot be accepted: names the field
      NotFound            no such thing, or none that the asker may see
      Forbidden           the asker may see it, but not do this
      TooMany             too much at once from one asker; later it may do
      Conflict            true by itself, but not beside what is there already
      AccessRefused       the SSH gate says no; carries the cause for log and event
      StorageError        a file or directory is not as it must be
      Sealed              a stored secret cannot be opened: the key is not here
      DatabaseError       the database cannot be opened, read or written
      Unavailable         something that must run does not
      OutgoingFailed      another server could not be asked, or gave no answer
      DeliveryFailed      a notification did not get through; says whether to try again

The message is a sentence that a person can act on. The edges (SSH, web, command line) map
these classes once; nothing else turns them into text or status.
"""

from __future__ import annotations

from enum import StrEnum

from hive.sentences import Sentence


class HiveError(Exception):
    """The root: everything that is said to people on purpose.

    `text` is a literal with placeholders for `values` (hive/sentences.py), or a sentence that is
    ready; text that is neither, such as that of another program, is shown as it is.
    """

    def __init__(self, text: str, /, **values: object) -> None:
        message = text if isinstance(text, Sentence) and not values else Sentence(text, values)
        super().__init__(message)
        self.message = message


class ConfigError(HiveError):
    pass


class InvalidInput(HiveError):
    """`field` is the name of the input that is wrong, as the asker knows it."""

    def __init__(self, text: str, /, *, field: str | None = None, **values: object) -> None:
        super().__init__(text, **values)
        self.field = field


class NotFound(HiveError):
    pass


class Forbidden(HiveError):
    pass


class TooMany(HiveError):
    pass


class Conflict(HiveError):
    def __init__(self, text: str, /, *, field: str | None = None, **values: object) -> None:
        super().__init__(text, **values)
        self.field = field


class RefusalCause(StrEnum):
    """Why the gate refused, for log lines and events; the client sees the message only."""

    UNKNOWN_LOGIN = "unknown login"
    UNKNOWN_KEY = "unknown key"
    KEY_NOT_GRANTED = "key not granted"
    KEY_DISABLED = "key disabled"
    KEY_EXPIRED = "key expired"
    WRONG_NETWORK = "wrong network"
    OWNER_DISABLED = "owner disabled"
    COMMAND = "command refused"
    MODE = "wrong mode"
    ACCESS = "access too low"
    PATH = "wrong path"
    NOT_CREATED = "not created"
    BUSY = "busy"
    LIMIT = "limit reached"
    QUOTA = "over quota"
    UNAVAILABLE = "not available"
    PROGRAM = "program unusable"
    DRAINING = "server stopping"


class AccessRefused(HiveError):
    def __init__(self, text: str, cause: RefusalCause, /, **values: object) -> None:
        super().__init__(text, **values)
        self.cause = cause


class StorageError(HiveError):
    pass


class Sealed(HiveError):
    pass


class DatabaseError(HiveError):
    pass


class DatabaseFull(DatabaseError):
    """The disk of the database is full."""


class Unavailable(HiveError):
    pass


class OutgoingFailed(HiveError):
    """`permanent` where asking again would end the same way.

    `address`: it is a private one, and nobody allowed it.
    """

    def __init__(
        self,
        text: str,
        /,
        *,
        permanent: bool = False,
        address: str | None = None,
        **values: object,
    ) -> None:
        super().__init__(text, **values)
        self.permanent = permanent
        self.address = address


class DeliveryFailed(HiveError):
    """`permanent` where trying again cannot help; `retry_after` is what the service asked for.

    `address`: it is a private one, and nobody allowed it.
    """

    def __init__(
        self,
        text: str,
        /,
        *,
        permanent: bool = False,
        retry_after: float | None = None,
        address: str | None = None,
        **values: object,
    ) -> None:
        super().__init__(text, **values)
        self.permanent = permanent
        self.retry_after = retry_after
        self.address = address
