"""What every table is."""

from __future__ import annotations

from typing import Any

from tortoise.models import Model, ModelMeta


class _Uncommented(ModelMeta):
    """Spares the ORM reading the source of each table for comments, which it does not have.

    That takes longer than everything else that importing the tables does.
    """

    def __new__(cls, name: str, bases: tuple[type, ...], attrs: dict[str, Any]) -> _Uncommented:
        made = super().__new__(cls, name, bases, {**attrs, "_no_comments": True})
        assert isinstance(made, cls)  # noqa: S101 - as the class was called
        return made


class Table(Model, metaclass=_Uncommented):
    class Meta:
        abstract = True
