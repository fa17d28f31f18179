"""In one room of the house, a name means one thing."""

from __future__ import annotations

import ast
from collections import defaultdict
from pathlib import Path

ROOT = Path(__file__).parents[2]
TOPS = ("hive", "sshgate", "web")


def room_of(path: Path) -> str:
    """The package that holds a module: one of the services, else one or two levels below ROOT."""
    parts = path.relative_to(ROOT).parts[:-1]
    return "/".join(parts[:3] if parts[:2] == ("hive", "services") else parts[:2])


def test_no_two_classes_of_one_name_are_in_one_room() -> None:
    """What is private to a module, such as its `_Memory`, is met nowhere else."""
    found: dict[tuple[str, str], list[str]] = defaultdict(list)
    for top in TOPS:
        for path in sorted((ROOT / top).rglob("*.py")):
            for node in ast.parse(path.read_text()).body:
                if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                    found[room_of(path), node.name].append(str(path.relative_to(ROOT)))
    assert len(found) > 300
    assert {name: places for name, places in found.items() if len(places) > 1} == {}
