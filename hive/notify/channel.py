"""What a channel is: a kind, settings that people fill in, and a way to send.

A new channel is one file beside this one and one line in `registry.py`; CONTRIBUTING.md tells how.
"""

from __future__ import annotations

import json
import re
import ssl
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Generic, Literal, TypeVar, get_args, get_origin
from urllib.parse import quote

from pydantic import AfterValidator, BaseModel, ConfigDict, SecretStr, ValidationError
from pydantic_core import ErrorDetails, PydanticCustomError

from hive.config.settings import MailSettings
from hive.errors import DeliveryFailed, InvalidInput
from hive.notify.message import Message, cut, one_line
from hive.outgoing.client import Outgoing
from hive.sentences import say

MASK = "••••"
MAX_ANSWER = 500
# shorter ones would blank out ordinary words
_SHORTEST = 4
_SHORTEST_PART = 6
_ORDINARY = {"accept", "application", "authorization", "bearer", "services", "webhook", "webhooks"}

_FLAGS = {"true": True, "yes": True, "false": False, "no": False}  # as commands send them

_BETWEEN_PARTS = re.compile(r"[\s,;=?&/:\"']+")


class ChannelSettings(BaseModel):
    """What one channel needs to know: every field text, a choice or a flag, with a title.

    `json_schema_extra={"multiline": True}` asks for a box of several lines.
    """

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        strict=True,
        hide_input_in_errors=True,
        str_strip_whitespace=True,
    )


def matching(pattern: re.Pattern[str]) -> AfterValidator:
    """For secrets, which pydantic's own `pattern` does not take."""

    def check(secret: SecretStr) -> SecretStr:
        if not pattern.fullmatch(secret.get_secret_value()):
            raise PydanticCustomError("string_pattern_mismatch", "is not right")
        return secret

    return AfterValidator(check)


S = TypeVar("S", bound=ChannelSettings)

# by the beginning of pydantic's name for the error
_REQUIREMENTS = {
    "literal_error": "be {expected}",
    "string_too_short": "have at least {min_length} characters",
    "string_too_long": "have at most {max_length} characters",
    "too_short": "have at least {min_length} characters",
    "too_long": "have at most {max_length} characters",
    "string_": "be text",
}


@dataclass(frozen=True, kw_only=True)
class Means:
    """What channels send with."""

    outgoing: Outgoing
    mail: MailSettings = field(default_factory=MailSettings)
    public_url: str | None = None
    mail_tls: ssl.SSLContext | None = None  # in place of the system's trusted authorities
    bases: Mapping[str, str] = field(default_factory=dict)  # by kind: where a fixed service is

    def base(self, kind: str, usual: str) -> str:
        return self.bases.get(kind, usual)


@dataclass(frozen=True)
class Sent:
    """What the service answered, as it may be shown."""

    answer: str


@dataclass(frozen=True, kw_only=True)
class SettingField:
    """One field of the settings, for a form, the command line or documentation."""

    name: str
    title: str
    description: str
    required: bool
    secret: bool
    multiline: bool
    flag: bool
    choices: tuple[str, ...]  # empty: anything that the settings accept
    default: str


class Channel(ABC, Generic[S]):
    """A way to reach people. Classes, never instances: they hold nothing."""

    kind: ClassVar[str]
    title: ClassVar[str]
    settings_model: ClassVar[type[ChannelSettings]]
    is_idempotent: ClassVar[bool] = False  # the service recognizes a message that it got before
    keeps_incidents: ClassVar[bool] = False  # each problem counts, so that none are put together
    administrators_only: ClassVar[bool] = False

    @classmethod
    @abstractmethod
    def describe(cls, settings: S) -> str:
        """One short line for lists, without secrets."""

    @classmethod
    def takes_bundles(cls, settings: Mapping[str, Any]) -> bool:
        """Whether many messages of a kind reach it as one; `settings` as they are stored."""
        return not cls.keeps_incidents

    @classmethod
    @abstractmethod
    async def deliver(cls, settings: S, message: Message, means: Means) -> str:
        """Send, and return the answer; or raise DeliveryFailed. For `send` alone to call."""

    @classmethod
    async def send(cls, settings: S, message: Message, means: Means) -> Sent:
        """Send once. DeliveryFailed says whether to try again; no secret is in what comes back."""
        try:
            answer = await cls.deliver(settings, message, means)
        except DeliveryFailed as error:
            raise DeliveryFailed(
                _presentable(error.message, settings),
                permanent=error.permanent,
                retry_after=error.retry_after,
                address=error.address,
            ) from None
        return Sent(_presentable(answer, settings))

    @classmethod
    def read(
        cls, values: Mapping[str, object], *, before: ChannelSettings | None = None
    ) -> ChannelSettings:
        """Settings out of what was typed or stored; InvalidInput names the field.

        A secret given as the mask means the one `before`; empty text means not given.
        """
        given = {name: value for name, value in values.items() if value not in ("", None)}
        if before is not None:
            kept = cls.stored(before)
            for name, value in given.items():
                if value == MASK and isinstance(getattr(before, name, None), SecretStr):
                    given[name] = kept[name]
        for name, info in cls.settings_model.model_fields.items():
            if info.annotation is bool and isinstance(given.get(name), str):
                given[name] = _FLAGS.get(str(given[name]).lower(), given[name])
            if _is_secret(info.annotation) and given.get(name) == MASK:
                raise InvalidInput("%(title)s must be entered again.", field=name, title=info.title)
        try:
            # as JSON, where text is also an address or a choice, and a number is never text
            return cls.settings_model.model_validate_json(json.dumps(given))
        except ValidationError as error:
            raise _explain(error.errors()[0], cls.settings_model) from None

    @classmethod
    def stored(cls, settings: ChannelSettings) -> dict[str, Any]:
        """Everything, secrets in clear, as `read` takes it back. To be stored encrypted."""
        return {name: _reveal(value) for name, value in settings if value is not None}

    @classmethod
    def masked(cls, settings: ChannelSettings) -> dict[str, Any]:
        """What may be shown: a secret that is there is the mask, one that is not is None."""
        return {name: MASK if isinstance(value, SecretStr) else value for name, value in settings}

    @classmethod
    def fields(cls) -> tuple[SettingField, ...]:
        return tuple(
            SettingField(
                name=name,
                title=info.title or name,
                description=info.description or "",
                required=info.is_required(),
                secret=_is_secret(info.annotation),
                multiline=_extra(info.json_schema_extra).get("multiline", False),
                flag=info.annotation is bool,
                choices=_choices(info.annotation),
                default="" if info.is_required() or info.default is None else str(info.default),
            )
            for name, info in cls.settings_model.model_fields.items()
        )


def _extra(extra: object) -> dict[str, Any]:
    return extra if isinstance(extra, dict) else {}


def _is_secret(annotation: object) -> bool:
    """Whether it is SecretStr, or that with validators or None beside it."""
    return annotation is SecretStr or any(map(_is_secret, get_args(annotation)))


def _choices(annotation: object) -> tuple[str, ...]:
    return get_args(annotation) if get_origin(annotation) is Literal else ()


def _reveal(value: object) -> object:
    return value.get_secret_value() if isinstance(value, SecretStr) else value


def _explain(details: ErrorDetails, model: type[ChannelSettings]) -> InvalidInput:
    name = str(details["loc"][0]) if details["loc"] else ""
    info = model.model_fields.get(name)
    if details["type"] == "extra_forbidden":
        known = ", ".join(model.model_fields)
        return InvalidInput(
            "There is no setting %(name)s; there are %(known)s.",
            field=name,
            name=one_line(name),
            known=known,
        )
    title = (info.title if info else None) or name
    if details["type"] == "value_error":
        said = details["ctx"]["error"]
        return InvalidInput(
            say("%(title)s: %(said)s", title=title, said=said) if title else str(said),
            field=name or None,
        )
    if details["type"] == "missing":
        return InvalidInput("%(title)s is missing.", field=name, title=title)
    if details["type"] == "string_pattern_mismatch" and info is not None:
        return InvalidInput(
            "%(title)s is not right: %(description)s",
            field=name,
            title=title,
            description=info.description,
        )
    for beginning, requirement in _REQUIREMENTS.items():
        if details["type"].startswith(beginning):
            must = requirement.format_map(details.get("ctx", {}))
            return InvalidInput("%(title)s must %(must)s.", field=name, title=title, must=must)
    return InvalidInput("%(title)s: %(msg)s.", field=name, title=title, msg=details["msg"])


def _presentable(text: str, settings: ChannelSettings) -> str:
    for secret in _secrets(settings):
        text = text.replace(secret, MASK)
    return cut(one_line(text), MAX_ANSWER)


def _secrets(settings: ChannelSettings) -> list[str]:
    """Every secret, whole and in the parts that a server may repeat, longest first."""
    found: set[str] = set()
    for _, value in settings:
        if isinstance(value, SecretStr):
            text = value.get_secret_value()
            found |= {text, json.dumps(text)[1:-1], quote(text, safe="")}
            found |= set(_parts(text))
    return sorted((each for each in found if len(each) >= _SHORTEST), key=len, reverse=True)


def _parts(secret: str) -> Iterator[str]:
    """What of a URL or of header lines is secret by itself: not its host, not ordinary words."""
    scheme, separator, rest = secret.partition("://")
    if separator and scheme.isalnum():
        secret = rest.partition("/")[2]
        yield secret
    for part in _BETWEEN_PARTS.split(secret):
        if len(part) >= _SHORTEST_PART and part.lower() not in _ORDINARY:
            yield part
