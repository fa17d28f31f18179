"""The order in which modules build on each other."""

from __future__ import annotations

from graphlib import TopologicalSorter

import grimp


def test_no_module_imports_one_that_imports_it() -> None:
    """Neither at once nor by way of others, not even inside a function or for its types alone."""
    graph = grimp.build_graph("hive", "sshgate", "web", cache_dir=None)
    imports = {name: graph.find_modules_directly_imported_by(name) for name in graph.modules}
    TopologicalSorter(imports).prepare()  # CycleError names the circle
