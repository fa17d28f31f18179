"""Every rule, one package for each concern; nothing else touches the models.

The packages are layered; pyproject.toml names the order, and each says in its docstring what it
holds. Modules in this directory itself are used by all of them.
"""

from hive import quick_orm  # noqa: F401 - before anything imports the ORM
