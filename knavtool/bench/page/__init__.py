"""The page of a bench: `write(path, result, runs)`."""

from knavtool.bench.page.page import write

__all__ = ["write"]
