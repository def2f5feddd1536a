"""Two runs compared as one HTML file."""

from knavtool.report.html.comparison.page import render

__all__ = ["render"]
