"""Selectors, as the API server in memory reads them."""

from __future__ import annotations

from typing import Any

import pytest

from support.selectors import matches_fields, matches_labels

LABELS = {"a": "1", "b": "2", "empty": ""}


@pytest.mark.parametrize(
    ("selector", "expected"),
    [
        ("", True),
        ("a", True),
        ("c", False),
        ("!c", True),
        ("!a", False),
        ("a=1", True),
        ("a==1", True),
        ("a=2", False),
        ("a!=2", True),
        ("a!=1", False),
        ("c!=1", True),
        ("c=", False),
        ("empty=", True),
        ("a=1, b=2", True),
        ("a=1,b=1", False),
        ("a=1,", True),
    ],
)
def test_labels(selector: str, expected: bool) -> None:
    assert matches_labels(LABELS, selector) is expected


POD: dict[str, Any] = {"metadata": {"name": "p"}, "spec": {"nodeName": "n", "replicas": 2}}


@pytest.mark.parametrize(
    ("selector", "expected"),
    [
        ("", True),
        ("metadata.name=p", True),
        ("metadata.name=q", False),
        ("metadata.name!=q", True),
        ("spec.nodeName!=n", False),
        ("spec.nodeName=n,metadata.name=p", True),
        ("spec.nodeName=n,metadata.name=q", False),
        ("spec.replicas=2", True),
        ("status.phase=", True),
        ("metadata.name.more=x", False),
    ],
)
def test_fields(selector: str, expected: bool) -> None:
    assert matches_fields(POD, selector) is expected
