"""Rendered text is read, and nodes are written, with the scalars of Kubernetes' own YAML library."""

from __future__ import annotations

from typing import Any

import pytest

from knavtool.documents.yaml import dump, load_rendered


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("yes", True),
        ("y", True),
        ("off", False),
        ("1e+06", 1_000_000),
        ("3.0", 3),
        ("1.5", 1.5),
        (".5", 0.5),
        ("08", 8),
        ("010", 8),
        ("0o17", 15),
        ("0x1F", 31),
        ("1_000", 1000),
        ("1:30", "1:30"),
        ("1:30.5", "1:30.5"),
        ("2001-01-01", "2001-01-01"),
        ("8Gi", "8Gi"),
        ("1e", "1e"),
        ("=", "="),
        ("~", None),
        ('"yes"', "yes"),
    ],
)
def test_scalars_are_read_as_kubernetes_reads_them(text: str, value: Any) -> None:
    (document,) = load_rendered(f"key: {text}\n")
    assert document == {"key": value}
    assert type(document["key"]) is type(value)


@pytest.mark.parametrize("value", ["y", "on", "1e3", "08", "0o17", ".5", "1_000", "2001-01-01", "", "~", "e-1", "8Gi"])
def test_text_that_looks_like_something_else_comes_back_as_text(value: str) -> None:
    assert load_rendered(dump([{"key": value, value: 1}])) == [{"key": value, value: 1}]
