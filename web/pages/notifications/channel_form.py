"""A form out of the settings that a kind of channel has, and settings out of what was typed.

A secret is on no page, neither the stored one nor what was just typed: what is left empty stays.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from hive.services.notifications.channels import ChannelInfo, KindInfo
from web.forms import Form

if TYPE_CHECKING:
    from hive.notify.channel import SettingField


@dataclass(frozen=True)
class Setting:
    """A field of the form; `is_set`: a secret that is stored."""

    name: str
    title: str
    description: str
    is_required: bool
    is_secret: bool
    is_multiline: bool
    is_flag: bool
    is_set: bool
    choices: tuple[str, ...]


def settings_on_form(kind: KindInfo, stored: Mapping[str, Any]) -> list[Setting]:
    return [
        Setting(
            name=field.name,
            title=field.title,
            description=field.description,
            is_required=field.required,
            is_secret=field.secret,
            is_multiline=field.multiline,
            is_flag=field.flag,
            is_set=field.secret and bool(stored.get(field.name)),
            choices=_choices(field),
        )
        for field in kind.fields
    ]


def _choices(field: SettingField) -> tuple[str, ...]:
    """What is to be chosen from, among it nothing where that is possible."""
    may_be_empty = field.choices and not (field.required or field.default)
    return ("", *field.choices) if may_be_empty else field.choices


def empty_form(kind: KindInfo, owner: str) -> Form:
    """What a new channel begins with."""
    values = {
        field.name: _ticked(field.default == "True") if field.flag else field.default
        for field in kind.fields
    }
    return Form({**values, "owner": owner})


def form_of(info: ChannelInfo, kind: KindInfo | None) -> Form:
    values = {"name": info.name, "enabled": _ticked(info.enabled)}
    for field in kind.fields if kind is not None else ():
        value = info.settings.get(field.name, field.default)
        if isinstance(value, bool):
            values[field.name] = _ticked(value)
        elif value is not None and not field.secret:
            values[field.name] = str(value)
    shares = {f"share-{share.group}": str(share.level) for share in info.shares}
    return Form({**values, **shares})


def _ticked(is_ticked: bool) -> str:
    return "yes" if is_ticked else ""


def typed_settings(form: Form, settings: list[Setting]) -> dict[str, Any]:
    """What was typed, as the service takes it: a secret that is not there stays as it is."""
    typed: dict[str, Any] = {}
    for one in settings:
        text = form.text(one.name).replace("\r\n", "\n")  # as forms send lines
        if one.is_flag:
            typed[one.name] = form.has(one.name)
        elif text or not one.is_secret or form.has(f"remove-{one.name}"):
            typed[one.name] = text
    return typed
