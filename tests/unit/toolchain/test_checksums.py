"""Publishers' lists of sums."""

from __future__ import annotations

import json

import pytest

from knavtool.toolchain.checksums import find_sum

A, B = "a" * 64, "b" * 64


@pytest.mark.parametrize(
    "text",
    [
        A,
        f"{A}\n",
        f"{A.upper()}  tool\n",
        f"{A} *tool\n",
        f"{B}  other\n\n{A}  ./tool\n",
        json.dumps({"assets": [{"name": "other", "digest": f"sha256:{B}"}, {"name": "tool", "digest": f"sha256:{A}"}]}),
    ],
    ids=["bare", "bare-line", "line", "binary", "among-others", "github"],
)
def test_forms_in_use(text: str) -> None:
    assert find_sum(text, "tool") == A


@pytest.mark.parametrize(
    "text",
    [
        "",
        f"{A}  other\n",
        f"{A}\n{B}\n",
        "abc  tool\n",
        "<html><body>Not found</body></html>",
        '{"assets": [{"name": "tool", "digest": null}]}',
        '{"assets": [{"name": "tool", "digest": "md5:abc"}]}',
        '{"message": "rate limit exceeded"}',
        '{"assets": 3}',
        "{",
    ],
)
def test_lists_that_do_not_tell(text: str) -> None:
    assert find_sum(text, "tool") is None
