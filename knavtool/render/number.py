"""Numbers that are written as templates."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from knavtool.errors import RenderError
from knavtool.render.driver import run
from knavtool.render.formats import Formats
from knavtool.render.source import ObjectTemplate

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from knavtool.helm import Helm


async def render_number(helm: Helm, text: str, params: Mapping[str, Any], *, file: Path, where: str) -> str:
    """The expression that a template prints; raises RenderError, whose message begins with `where`."""
    template = ObjectTemplate(file=file, text="", blocks=(), lines=(), raw=True)
    try:
        answer = await run(helm, template, Formats(pod_count=text), params, range(0), stamped=False)
    except RenderError as error:
        message = error.message.removeprefix(f"{file}: ").removeprefix("podCount: ").removeprefix("podCount ")
        raise RenderError(f"{where}: {message}", hint=error.hint) from error
    return answer.pod_count
