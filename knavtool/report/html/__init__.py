"""The report as one HTML file: `write(path, measured)` and `render(measured)`; `Renderer` makes many."""

from knavtool.report.html.page import Renderer, render, write

__all__ = ["Renderer", "render", "write"]
