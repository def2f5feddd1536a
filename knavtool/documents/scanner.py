"""The scanner of ruamel.yaml, told when to give up."""

from __future__ import annotations

from typing import Any

from ruamel.yaml.scanner import Scanner, ScannerError

from knavtool.documents.compose import DEEPEST


class TooDeep(ScannerError):
    """Flow collections are nested deeper than documents may be."""


class ShallowScanner(Scanner):
    """Refuses flow collections that are nested deeper than documents may be.

    A bracket may begin a key for as long as its line goes on, so the time for n open ones grows with n².
    """

    def fetch_flow_collection_start(self, TokenClass: Any, to_push: str) -> None:  # noqa: N803 - the base names it so
        """Refuse a bracket that opens one level too many."""
        if len(self.flow_context) == DEEPEST:
            raise TooDeep(problem=f"nested more than {DEEPEST} levels deep", problem_mark=self.reader.get_mark())
        super().fetch_flow_collection_start(TokenClass, to_push)
