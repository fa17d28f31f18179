"""What services are asked with when something takes more than one step."""

from __future__ import annotations

import dataclasses
import importlib
import inspect
import pkgutil
import re

import pytest

from hive import services

_ASKS = re.compile(r"(?:Add|Change|Create)[A-Z]\w*|LetIn")


def requests() -> list[type]:
    modules = pkgutil.walk_packages(services.__path__, f"{services.__name__}.")
    found = [importlib.import_module(module.name) for module in modules]
    return [
        kind
        for module in found
        for name, kind in inspect.getmembers(module, inspect.isclass)
        if kind.__module__ == module.__name__
        and _ASKS.fullmatch(name)
        and dataclasses.is_dataclass(kind)
    ]


@pytest.mark.parametrize("request_type", requests(), ids=lambda kind: kind.__name__)
def test_a_request_is_frozen_and_names_its_values(request_type: type) -> None:
    fields = dataclasses.fields(request_type)
    assert all(field.kw_only for field in fields)
    assert request_type.__dataclass_params__.frozen  # type: ignore[attr-defined]


def test_each_kind_of_thing_is_added_and_changed_with_a_request() -> None:
    names = {kind.__name__ for kind in requests()}
    things = ("Channel", "Group", "Key", "Location", "Rule", "Trigger", "User")
    assert names >= {f"{verb}{thing}" for verb in ("Add", "Change") for thing in things}
    assert names >= {"CreateRepository", "ChangeRepository", "ChangeAccess", "ChangeGroup", "LetIn"}
