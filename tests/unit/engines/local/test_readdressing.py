"""Objects of a saved cluster whose processes listen elsewhere now."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from knavtool.engines.local.readdressing import _moved, moved_ports
from knavtool.engines.local.saved import Saved
from knavtool.engines.local.state.record import Record

MOVED = {20001: 20002, 20002: 20003}


@pytest.mark.parametrize(
    ("kind", "value", "expected"),
    [
        ("CustomResourceDefinition", "https://127.0.0.1:20001", "https://127.0.0.1:20002"),
        ("CustomResourceDefinition", "https://127.0.0.1:20001/convert", "https://127.0.0.1:20002/convert"),
        ("CustomResourceDefinition", "https://127.0.0.1:200012/convert", "https://127.0.0.1:200012/convert"),
        ("CustomResourceDefinition", "https://10.0.0.1:20001/convert", "https://10.0.0.1:20001/convert"),
        ("CustomResourceDefinition", {"maximum": 20001}, {"maximum": 20001}),
        ("Service", {"ports": [{"port": 443, "targetPort": 20002}]}, {"ports": [{"port": 443, "targetPort": 20003}]}),
        ("EndpointSlice", [{"port": 20001}, {"port": True}], [{"port": 20002}, {"port": True}]),
        (
            "MutatingWebhookConfiguration",
            [{"clientConfig": {"url": "https://127.0.0.1:20002/m", "caBundle": "20002"}}],
            [{"clientConfig": {"url": "https://127.0.0.1:20003/m", "caBundle": "20002"}}],
        ),
    ],
)
def test_what_names_a_port(kind: str, value: Any, expected: Any) -> None:
    assert _moved(value, MOVED, kind) == expected


def test_ports_that_have_moved() -> None:
    known = Record(ports={"kueue/webhook": 20001, "kueue/health": 20005, "gone/http": 20009})
    saved = Saved(path=Path("x"), name="x", record=known, sizes={})
    now = replace(known, ports={"kueue/webhook": 20002, "kueue/health": 20005, "new/http": 20001})
    assert moved_ports(saved, now) == {20001: 20002}
    assert moved_ports(saved, known) == {}
