"""What is given before the noun: the configuration, the data directory, --json."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hive.config.settings import Settings


@dataclass
class Options:
    """Of one call of the command line."""

    config_file: Path | None
    data_dir: Path | None
    json: bool = False
    columns: tuple[str, ...] = ()  # of a table; empty: those that fit
    is_wide: bool = False

    def settings(self, overrides: dict[str, str | None] | None = None) -> Settings:
        """The settings in effect; ConfigError says what is wrong with them."""
        from hive.config import settings as config  # noqa: PLC0415 - `hive --help` needs none

        return config.load(self.config_file, data_dir=self.data_dir, overrides=overrides)
