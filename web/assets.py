"""Static files: few and small, read once, named by their content so that they may be kept."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

from aiohttp import web

_DIRECTORY = Path(__file__).parent / "static"
_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
    ".png": "image/png",
}


@dataclass(frozen=True)
class Asset:
    content: bytes
    content_type: str
    version: str


class Assets:
    """The files of web/static. A name from outside is looked up here, never on disk."""

    def __init__(self) -> None:
        self._by_name = {
            path.name: _read(path)
            for path in sorted(_DIRECTORY.rglob("*"))
            if path.suffix in _TYPES
        }

    def url(self, name: str) -> str:
        return f"/static/{name}?v={self._by_name[name].version}"

    def answer(self, name: str, version: str | None) -> web.Response:
        asset = self._by_name.get(name)
        if asset is None:
            raise web.HTTPNotFound
        response = web.Response(body=asset.content)
        response.headers["Content-Type"] = asset.content_type
        # Without the right version the same URL may be another file tomorrow.
        is_exact = version == asset.version
        response.headers["Cache-Control"] = (
            "public, max-age=31536000, immutable" if is_exact else "no-cache"
        )
        return response


def _read(path: Path) -> Asset:
    content = path.read_bytes()
    return Asset(content, _TYPES[path.suffix], hashlib.sha256(content).hexdigest()[:16])
