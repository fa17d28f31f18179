"""Columns that hold sentences (hive/sentences.py) in what the database knows as text, or times."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

from tortoise import fields

from hive.sentences import load, store

if TYPE_CHECKING:
    from tortoise.models import Model

_LONGEST = 64 * 1024  # characters of a text without a given length


def _text(value: object) -> str:
    return value if isinstance(value, str) else str(value)


def _loaded(value: object) -> str | None:
    return None if value is None else load(_text(value))


class SentenceField(fields.CharField[str]):
    """A sentence, or plain text of a former version; cut to the length of the column."""

    def to_python_value(self, value: object) -> str | None:
        return _loaded(value)

    def to_db_value(self, value: object, instance: type[Model] | Model) -> Any:  # noqa: ANN401 - as tortoise has it
        return None if value is None else store(_text(value), self.max_length)


class LongSentenceField(fields.TextField):
    """The same without a length."""

    def to_python_value(self, value: object) -> str | None:
        return _loaded(value)

    def to_db_value(self, value: object, instance: type[Model] | Model) -> Any:  # noqa: ANN401
        return None if value is None else store(_text(value), _LONGEST)


if TYPE_CHECKING:
    MomentField = fields.DatetimeField  # whose hints a class that builds on it loses
else:

    class MomentField(fields.DatetimeField):
        """A time, read from the text that SQLite has of it many times faster than by the ORM."""

        def to_python_value(self, value: object) -> datetime | None:
            return super().to_python_value(
                datetime.fromisoformat(value) if isinstance(value, str) else value
            )
