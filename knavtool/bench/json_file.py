"""A result as one JSON document: `result.json`, which `schemas/bench-result.schema.json` describes."""

from __future__ import annotations

from dataclasses import asdict, fields
from typing import TYPE_CHECKING, Any

import orjson

from knavtool.bench.judge import Comparison, Summary, Word
from knavtool.bench.result import Attempt, Cell, Contender, Judged, Outcome, Result
from knavtool.errors import DocumentError
from knavtool.report import files

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

NAME = "result.json"
FORMAT = 1
_OLDER: Mapping[str, Any] = {"tunables": ()}
"""What contenders did not have in the first results of this format."""


def text(result: Result) -> str:
    """The document as text."""
    content = {"format": FORMAT, **asdict(result)}
    content["cells"] = [
        {**one, "samples": {str(number): value for number, value in one["samples"].items()}} for one in content["cells"]
    ]
    return orjson.dumps(content, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE).decode()


def write(path: Path, result: Result) -> None:
    """Write it, whole or not at all. Raises OutputError."""
    files.write(path, text(result))


def load(path: Path) -> Result:
    """The result in a file, or in the directory of a bench; raises DocumentError."""
    file = path / NAME if path.is_dir() else path
    try:
        content = orjson.loads(file.read_bytes())
        if content["format"] != FORMAT:
            raise DocumentError(f"{file}: expected a result in format {FORMAT}, found {content['format']!r}")
        return _read(content)
    except OSError as error:
        raise DocumentError(f"{file} cannot be read: {error.strerror or error}") from error
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise DocumentError(f"{file} is no result of a bench ({type(error).__name__}: {error})") from error


def _read(content: Mapping[str, Any]) -> Result:
    given = {one.name: content[one.name] for one in fields(Result)}
    return Result(
        **{
            **given,
            "measures": tuple(given["measures"]),
            "scenarios": tuple(given["scenarios"]),
            "contenders": tuple(
                Contender(**_tuples(_OLDER | one, "components", "tunables")) for one in given["contenders"]
            ),
            "attempts": tuple(Attempt(**_tuples(one, "marks", "limits", "notes")) for one in given["attempts"]),
            "cells": tuple(_cell(one) for one in given["cells"]),
            "verdict": tuple(Judged(**{**one, "outcome": Outcome(one["outcome"])}) for one in given["verdict"]),
        }
    )


def _cell(given: Mapping[str, Any]) -> Cell:
    one, two = given["summary"], given["comparison"]
    intervals = ("mean_interval", "median_interval")
    return Cell(
        **{
            **_tuples(given, "marked"),
            "samples": {int(number): float(value) for number, value in given["samples"].items()},
            "summary": one and Summary(**{**one, **{name: one[name] and tuple(one[name]) for name in intervals}}),
            "comparison": two and Comparison(**{**two, "word": Word(two["word"])}),
        }
    )


def _tuples(given: Mapping[str, Any], *names: str) -> dict[str, Any]:
    return {**given, **{name: tuple(given[name]) for name in names}}
