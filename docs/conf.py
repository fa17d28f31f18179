"""How Sphinx makes the book: Markdown in, pages out that load nothing from the network."""

from __future__ import annotations

project = "Borg Hive"
author = "the Borg Hive contributors"
copyright = author

extensions = ["myst_parser", "sphinx_copybutton"]
exclude_patterns = ["pictures"]
myst_heading_anchors = 3  # pages link to each other's headings: upkeep.md#compaction
nitpicky = True

html_theme = "furo"
html_title = "Borg Hive"
html_show_sphinx = False
html_copy_source = False
_SYSTEM_FONT = {"font-stack": "system-ui, sans-serif"}
html_theme_options = {
    "top_of_page_buttons": [],
    "light_css_variables": _SYSTEM_FONT,
    "dark_css_variables": _SYSTEM_FONT,
}
