"""Security headers on every answer: pages, redirects, errors, files and streams."""

from __future__ import annotations

from aiohttp import web

from web.app_keys import REQUEST_ID, SETTINGS

POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self'",
        "font-src 'self'",
        "connect-src 'self'",
        "manifest-src 'self'",
        "form-action 'self'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
    )
)
_ALWAYS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Server": "borg-hive",  # the library would tell its version
}
_ONE_YEAR = 365 * 86_400


async def add_headers(request: web.Request, response: web.StreamResponse) -> None:
    """Runs as the answer is prepared, so that no handler and no error can pass it by."""
    response.headers.update(_ALWAYS)
    response.headers.setdefault("Cache-Control", "no-store")
    if (request_id := request.get(REQUEST_ID)) is not None:
        response.headers["X-Request-ID"] = request_id
    if request.app[SETTINGS].is_https:
        response.headers["Strict-Transport-Security"] = f"max-age={_ONE_YEAR}"
