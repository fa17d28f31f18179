"""No module keeps state in a variable of its own: hive/memory.py is the place for that."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
_DIRECTORIES = ("hive", "sshgate", "web")

# What may change although it belongs to a module, and why.
_ALLOWED_GLOBALS = {
    "hive/memory.py": "the one variable that holds the memory",
    "hive/clock.py": "where the time comes from; tests set it before anything starts",
    "hive/background.py": "the context of all tasks; stopping resets it when they have ended",
    "hive/database.py": "what makes room for the open database; stopping resets it",
}
_ALLOWED_VALUES = {
    "hive/background.py:tasks": "stopping waits for them, so it must not forget them",
    "hive/off_loop.py:_executor": "idle threads, which hold nothing between two calls",
    "hive/services/accounts/passwords.py:_threads": "idle threads",
    "hive/services/accounts/passwords.py:_hasher": "parameters of argon2",
    "hive/services/server/handover.py:_walkers": "idle threads",
    "hive/process/confine_kernel.py:libc": "the C library",
    "web/access.py:_public": "filled by the decorator while modules are imported",
}
_CACHES = {
    "hive/process/places.py:_present": "which paths of the system exist, as at the first look",
    "hive/schedule.py:_timezones": "the time zones of the system",
    "hive/services/accounts/own_account.py:time_zones": "the time zones of the system",
    "hive/services/accounts/passwords.py:_nobodys_hash": "a hash that nothing matches",
    "hive/services/clock/trust.py:_boot": "the kernel's id of this boot",
    "hive/services/programs/discovery.py:_roots": "by the file and when it changed",
    "hive/catalogues.py:_read": "translations, which come with the program",
    "hive/localized.py:_measured": "the words for a number",
    "hive/localized.py:_dated": "the words for a date",
    "hive/localized.py:size": "the words for a number",
    "hive/schedule.py:_check_cron": "what the expression alone decides",
    "hive/schedule.py:_tick_after": "what the expression alone decides",
    "hive/schedule.py:_tick_before": "what the expression alone decides",
    "hive/services/health/strips.py:_spans": "the calendar of a time zone",
    "web/charts.py:cell": "a shape",
    "web/text/i18n.py:_unfilled": "translations, which come with the program",
    "web/text/format.py:_narrow": "the words for a number",
}
# What makes a value that nothing changes.
_CONSTANT = {
    "_change",  # a command of hive/cli/repo/schedule.py
    "Actor", "AppKey", "Choice", "ContextVar", "FrameLimits", "IPv6Network", "IntRange", "N_",
    "ParamSpec", "Path", "Reader", "RequestKey", "Struct", "Table", "Telling", "TypeVar",
    "_Directory",
    "_Parsed", "_Silence", "abspath", "bytes", "compile", "datetime", "float",
    "fromhex", "frozenset", "get", "get_logger", "ip_network", "join", "maketrans", "option",
    "pack", "partial", "phrase", "range", "say", "timedelta", "tuple",
}  # fmt: skip
_CHANGING = (
    "add", "append", "appendleft", "clear", "discard", "extend", "insert", "pop", "popitem",
    "remove", "setdefault", "update",
)  # fmt: skip
_DISPLAYS = (ast.Dict, ast.List, ast.Set, ast.DictComp, ast.ListComp, ast.SetComp)


def _modules() -> Iterator[tuple[str, ast.Module]]:
    for directory in _DIRECTORIES:
        for path in sorted((ROOT / directory).rglob("*.py")):
            yield str(path.relative_to(ROOT)), ast.parse(path.read_text())


def _name(node: ast.expr) -> str:
    while isinstance(node, ast.Call | ast.Subscript):
        node = node.func if isinstance(node, ast.Call) else node.value
    return node.attr if isinstance(node, ast.Attribute) else getattr(node, "id", "")


def _assigned(tree: ast.Module) -> Iterator[tuple[str, ast.expr]]:
    for node in tree.body:
        if isinstance(node, ast.AnnAssign) and node.value is not None:
            yield ast.unparse(node.target), node.value
        elif isinstance(node, ast.Assign):
            for target in node.targets:
                yield ast.unparse(target), node.value


def _is_empty(value: ast.expr | None) -> bool:
    elements = {ast.Dict: "keys", ast.List: "elts"}.get(type(value))
    return elements is not None and not getattr(value, elements)


def _changed(tree: ast.Module) -> set[str]:
    """The names whose values are changed somewhere in functions."""
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            if node.func.attr in _CHANGING:
                found.add(ast.unparse(node.func.value))
        elif isinstance(node, ast.Assign | ast.Delete):
            for target in node.targets:
                if isinstance(target, ast.Subscript | ast.Attribute):
                    found.add(ast.unparse(target.value))
        elif isinstance(node, ast.AugAssign) and isinstance(node.target, ast.Subscript):
            found.add(ast.unparse(node.target.value))
    return found


def state_of(path: str, tree: ast.Module) -> list[str]:
    """What a module keeps that can change, in a sentence each."""
    found = []
    if path not in _ALLOWED_GLOBALS:
        found += [
            f"{path}:{node.lineno}: `global {', '.join(node.names)}`"
            for node in ast.walk(tree)
            if isinstance(node, ast.Global)
        ]
    changed = _changed(tree)
    for name, value in _assigned(tree):
        if f"{path}:{name}" in _ALLOWED_VALUES:
            continue
        if isinstance(value, _DISPLAYS) and name in changed:
            found.append(f"{path}: {name} is changed")
        elif _is_empty(value):
            found.append(f"{path}: {name} starts empty")
        elif isinstance(value, ast.Call) and _name(value) not in _CONSTANT:
            found.append(f"{path}: {name} is made by {_name(value)}")
    for node in ast.walk(tree):
        if isinstance(node, ast.ClassDef):
            found += [
                f"{path}: {node.name} has state for all: {ast.unparse(inner)}"
                for inner in node.body
                if isinstance(inner, ast.Assign | ast.AnnAssign) and _is_empty(inner.value)
            ]
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            is_cached = {"cache", "lru_cache"} & {_name(one) for one in node.decorator_list}
            if is_cached and f"{path}:{node.name}" not in _CACHES:
                found.append(f"{path}: {node.name} is cached")
    return found


def test_no_module_keeps_state() -> None:
    found = [one for path, tree in _modules() for one in state_of(path, tree)]
    assert not found, "Keep it in a class and ask hive.memory for its object:\n" + "\n".join(found)


def test_what_is_allowed_is_still_there() -> None:
    trees = dict(_modules())
    for path in _ALLOWED_GLOBALS:
        assert any(isinstance(node, ast.Global) for node in ast.walk(trees[path])), path
    for entry in _ALLOWED_VALUES:
        path, _, name = entry.partition(":")
        assert name in dict(_assigned(trees[path])), entry
    for entry in _CACHES:
        path, _, name = entry.partition(":")
        functions = [node for node in ast.walk(trees[path]) if isinstance(node, ast.FunctionDef)]
        assert name in [node.name for node in functions if node.decorator_list], entry


@pytest.mark.parametrize(
    "source",
    [
        "_known = {}",
        "class View:\n    known = {}",
        "_known: dict[int, str] = {}",
        "_waiting = OrderedDict()",
        "_users: Counter[str] = Counter()",
        "_lock = threading.Lock()",
        "_view = LiveView()",
        "_names = {1: 'one'}\ndef note():\n    _names[2] = 'two'",
        "_names = ['one']\ndef note():\n    _names.append('two')",
        "_lost = None\ndef note():\n    global _lost\n    _lost = 1",
        "@functools.cache\ndef settings():\n    return 1",
        "@lru_cache(maxsize=1)\ndef settings():\n    return 1",
    ],
)
def test_state_is_found(source: str) -> None:
    assert state_of("hive/example.py", ast.parse(source))


@pytest.mark.parametrize(
    "source", ["_WORDS = {1: 'one'}", "_RE = re.compile('x')", "_DAY = timedelta(days=1)", "X = 5"]
)
def test_a_constant_is_none(source: str) -> None:
    assert state_of("hive/example.py", ast.parse(source)) == []
