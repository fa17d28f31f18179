"""Makes small pictures for the documents from those of a test run: refresh.py FROM TO."""

from __future__ import annotations

import sys
from pathlib import Path

from PIL import Image

# What the documents show: the name in the test run, without the look.
WANTED = (
    "overview",
    "repositories-1",
    "repositories-1-schedule",
    "notifications-channels-1",
    "setup",
)
HEIGHT = 1400  # of a long page, what the first screens show
COLOURS = 64
LARGEST = 150_000


def refresh(source: Path, target: Path) -> None:
    """Write each wanted picture with few colours; refuse one that is still large."""
    for name in WANTED:
        picture = Image.open(source / f"{name}.wide-light.png").convert("RGB")
        picture = picture.crop((0, 0, picture.width, min(picture.height, HEIGHT)))
        file = target / f"{name}.png"
        picture.quantize(COLOURS).save(file, optimize=True)
        size = file.stat().st_size
        if size > LARGEST:
            raise SystemExit(f"{file} has {size} bytes, more than {LARGEST}")
        print(f"{file}: {size} bytes")


if __name__ == "__main__":
    refresh(*map(Path, sys.argv[1:]))
