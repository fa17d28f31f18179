"""What this installation is: its version and the settings in effect, for administrators."""

from __future__ import annotations

import platform
from dataclasses import dataclass

from pydantic import BaseModel, SecretStr

import hive
from hive.services import runtime
from hive.services.permissions import Actor, require_sight

MASK = "••••••••"


@dataclass(frozen=True)
class SettingInEffect:
    name: str  # as in the configuration file: "ssh.listen"
    value: str
    is_default: bool
    description: str


@dataclass(frozen=True, kw_only=True)
class About:
    version: str
    python: str
    system: str
    node: str
    data_directory: str


def about(actor: Actor) -> About:
    require_sight(actor)
    return About(
        version=hive.__version__,
        python=platform.python_version(),
        system=f"{platform.system()} {platform.release()}",
        node=runtime.host_name(),
        data_directory=str(runtime.paths().data_dir),
    )


def settings_in_effect(actor: Actor) -> dict[str, list[SettingInEffect]]:
    """Every setting by section, secrets masked."""
    require_sight(actor)
    effective = runtime.settings()
    return {
        section: _section(section, getattr(effective, section))
        for section in type(effective).model_fields
    }


def _section(section: str, values: BaseModel) -> list[SettingInEffect]:
    defaults = type(values)()
    return [
        SettingInEffect(
            f"{section}.{name}",
            _shown(getattr(values, name)),
            getattr(values, name) == getattr(defaults, name),
            field.description or "",
        )
        for name, field in type(values).model_fields.items()
    ]


def _shown(value: object) -> str:
    """The value as text; a secret, wherever it stands, never."""
    if isinstance(value, SecretStr):
        return MASK
    if isinstance(value, BaseModel):
        parts = (f"{name}={_shown(getattr(value, name))}" for name in type(value).model_fields)
        return ", ".join(parts)
    if isinstance(value, dict):
        return ", ".join(f"{name}={_shown(one)}" for name, one in value.items())
    if isinstance(value, tuple | list | set | frozenset):
        return ", ".join(_shown(one) for one in value)
    if isinstance(value, bool):
        return "true" if value else "false"
    return "" if value is None else str(value)
