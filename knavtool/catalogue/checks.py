"""What the schema cannot say of a record: whether its parts fit together."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from knavtool.documents.yaml import Document
    from knavtool.errors import Violation

_PORT = re.compile(r"\$\{port_([^}]*)\}")


def contradictions(document: Document, name: str) -> Iterator[Violation]:
    """All of them, in a record that fits the schema and should describe the component `name`."""
    data = document.data
    if data["name"] != name:
        yield document.violation(("name",), f"{data['name']!r} is not the file's name, {name!r}")
    if "source" not in data:
        for program, record in data.get("programs", {}).items():
            if "build" in record:
                yield document.violation(("programs", program, "build"), "there is no source to build it from")
        for face in ("manifest", "process"):
            for part in ("kustomization", "files"):
                if data["faces"].get(face, {}).get("objects", {}).get(part):
                    yield document.violation(("faces", face, "objects", part), "there is no source to take it from")
    if "process" in data["faces"]:
        yield from _process(document, data["faces"]["process"])


def _process(document: Document, face: Mapping[str, Any]) -> Iterator[Violation]:
    where = ("faces", "process")
    uses = [f"{process['name']}/{port}" for process in face["processes"] for port in process.get("ports", ())]
    if "webhooks" in face:
        if (port := face["webhooks"]["port"]) not in uses:
            message = f"no process has the port {port!r}; there are {', '.join(uses) or 'none'}"
            yield document.violation((*where, "webhooks", "port"), message)
        if "certificates" not in face:
            yield document.violation(
                (*where, "webhooks"), "webhooks are served with certificates, which are missing here"
            )
    for number, process in enumerate(face["processes"]):
        place = (*where, "processes", number)
        texts: list[tuple[tuple[str | int, ...], str]]
        texts = [((*place, "args", index), text) for index, text in enumerate(process["args"])]
        texts += [((*place, key), process[key]) for key in ("ready", "metrics") if key in process]
        texts += [((*place, "environment", key), text) for key, text in process.get("environment", {}).items()]
        for path, text in texts:
            for port in set(_PORT.findall(text)) - set(process.get("ports", ())):
                yield document.violation(path, f"{process['name']} has no port {port!r}")
