"""The report as one HTML file: `write(path, measured)` and `render(measured)`."""

from knavtool.report.html.page import render, write

__all__ = ["render", "write"]
