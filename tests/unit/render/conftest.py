"""The real Helm, and object templates written on the spot."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from knavtool.helm import Helm
from knavtool.render.formats import Formats
from knavtool.render.source import ObjectTemplate, load_template
from knavtool.render.template import Rendered, render_objects
from support.programs import program

Render = Callable[..., Awaitable[Rendered]]


@pytest.fixture
def helm() -> Helm:
    return Helm(program("helm"))


@pytest.fixture
def template(tmp_path: Path) -> Callable[[str], ObjectTemplate]:
    def write(text: str) -> ObjectTemplate:
        path = tmp_path / "template.yml"
        path.write_text(text, encoding="utf-8")
        return load_template(path)

    return write


@pytest.fixture
def render(helm: Helm, template: Callable[[str], ObjectTemplate]) -> Render:
    """Render template text; parameters of Formats and of render_objects have defaults."""

    async def run(
        text: str,
        params: dict[str, Any] | None = None,
        *,
        count: int = 1,
        first_enum: int = 1,
        name: str | None = "job-{{._ENUM_}}",
        pod_name: str | None = None,
        pod_count: str | None = None,
    ) -> Rendered:
        formats = Formats(name=name, pod_name=pod_name, pod_count=pod_count)
        return await render_objects(
            helm, template(text), formats, params=params or {}, count=count, first_enum=first_enum
        )

    return run
