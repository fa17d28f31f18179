"""Debian's Chromium, as all tests start it: headless, silent, and nowhere but at our pages."""

from __future__ import annotations

import os

PATH = os.environ.get("HIVE_TEST_CHROMIUM", "/usr/bin/chromium")
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
