"""`hive demo`: a real server with made-up data, which nobody can take for real."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import aiohttp
import pytest

from tests.e2e.journal import seconds_at_most

_READY = re.compile(r"ready ssh=127\.0\.0\.1:\d+ web=(http://127\.0\.0\.1:\d+)\n")
