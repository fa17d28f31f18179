"""Templates, compiled away from the event loop: one of them takes up to 60 milliseconds.

A page whose templates are all compiled is rendered at once. What it lacks is compiled in a thread
when it is first asked for, so that a start compiles nothing that nobody looks at, and no compiled
template is ever read from a disk.
"""

from __future__ import annotations

import asyncio
from typing import Any

import aiohttp_jinja2
import jinja2
from aiohttp import web
from jinja2 import meta, nodes


class Templates(jinja2.Environment):
    """Jinja's environment, which also knows which templates each of them names."""

    def __init__(self, **options: Any) -> None:  # noqa: ANN401 - as jinja has it
        # What is installed comes with the code, which does not change either while it runs.
        super().__init__(auto_reload=False, **options)
        self._named: dict[str, tuple[str, ...]] = {}
        self._ready: set[str] = set()

    def compile(self, source: Any, name: str | None = None, *args: Any, **options: Any) -> Any:  # noqa: ANN401
        tree = source if isinstance(source, nodes.Template) else self.parse(source, name)
        if name is not None:
            found = meta.find_referenced_templates(tree)
            self._named[name] = tuple(one for one in found if one is not None)
        return super().compile(tree, name, *args, **options)

    def is_ready(self, name: str) -> bool:
        """Whether a template and all that it needs are compiled."""
        return name in self._ready

    def prepare(self, name: str) -> None:
        """Compile a template and all that it needs, by whatever way. Blocking."""
        waiting, seen = [name], set()
        while waiting:
            one = waiting.pop()
            if one not in seen:
                seen.add(one)
                self.get_template(one)
                waiting += self._named.get(one, ())
        self._ready.add(name)


class Page(web.Response):
    """A page that is still to be rendered: `rendered` does that."""

    def __init__(
        self, request: web.Request, template: str, context: dict[str, object], status: int
    ) -> None:
        super().__init__(status=status, content_type="text/html", charset="utf-8")
        self._request = request
        self._template = template
        self._context = context

    async def render(self) -> None:
        templates = self._request.app[aiohttp_jinja2.APP_KEY]
        if isinstance(templates, Templates) and not templates.is_ready(self._template):
            await asyncio.to_thread(templates.prepare, self._template)
        self.text = aiohttp_jinja2.render_string(self._template, self._request, self._context)


async def rendered(response: web.StreamResponse) -> web.StreamResponse:
    """What a handler returned, ready to be sent."""
    if isinstance(response, Page):
        await response.render()
    return response
