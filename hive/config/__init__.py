"""Settings: what can be set, where values come from, and what is dangerous about them.

It knows nothing of services; everything else may import `hive.config.settings`. Its sections are in
`hive.config.sections`.
"""

import os

# What other packages offer as plugins has no business here, and the search takes time.
os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "true")
