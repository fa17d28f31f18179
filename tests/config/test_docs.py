from __future__ import annotations

import re
from pathlib import Path

from hive.config import docs
from hive.config import settings as config
from hive.config.settings import Settings
from hive.config.sources import setting_names

ROOT = Path(__file__).parents[2]


def test_the_example_is_current() -> None:
    assert (ROOT / "config.example.toml").read_text() == docs.example_toml()


def test_the_reference_is_current() -> None:
    assert (ROOT / "docs" / "reference" / "configuration.md").read_text() == docs.markdown()


def test_the_example_changes_nothing_as_it_is(tmp_path: Path) -> None:
    file = tmp_path / "hive.toml"
    file.write_text(docs.example_toml())
    assert config.load(file, environment={}) == Settings()


def test_the_example_uncommented_gives_every_setting_and_loads(tmp_path: Path) -> None:
    file = tmp_path / "hive.toml"
    file.write_text(re.sub(r"^#(?! )", "", docs.example_toml(), flags=re.MULTILINE))
    settings = config.load(file, environment={})
    given = {
        (section, key)
        for section in Settings.model_fields
        for key in getattr(settings, section).model_fields_set
    }
    assert given == set(setting_names(Settings))


def test_the_defaults_in_the_example_are_the_defaults(tmp_path: Path) -> None:
    blocks = docs.example_toml().split("\n\n")
    kept = [block for block in blocks if "Not set by default" not in block.replace("\n# ", " ")]
    file = tmp_path / "hive.toml"
    file.write_text(re.sub(r"^#(?! )", "", "\n\n".join(kept), flags=re.MULTILINE))
    assert config.load(file, environment={}) == Settings()


def test_every_setting_has_a_sentence() -> None:
    for section, key in setting_names(Settings):
        model = Settings.model_fields[section].annotation
        assert model is not None
        description = model.model_fields[key].description
        assert description, f"{section}.{key}"
        assert description.endswith("."), f"{section}.{key}"
