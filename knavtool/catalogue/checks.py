"""What the schema cannot say of a record: whether its parts fit together."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from knavtool import resources
from knavtool.catalogue.versions import with_entry
from knavtool.documents.schema import nearest, shipped
from knavtool.errors import UsageError
from knavtool.settings import paths
from knavtool.settings.flags import names

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from knavtool.documents.yaml import Document
    from knavtool.errors import Violation

VARIABLES = ("directory", "certificates", "pki", "targets", "metrics_token", "kubeconfig")
"""What a process of a component may refer to as `${name}`, besides its ports."""

_VARIABLE = re.compile(r"\$\{([^}]*)\}")
_PORT = "port_"


def contradictions(document: Document, name: str) -> Iterator[Violation]:
    """All of them, in a record that fits the schema and should describe the component `name`."""
    data = document.data
    if data["name"] != name:
        yield document.violation(("name",), f"{data['name']!r} is not the file's name, {name!r}")
    yield from _versions(document)
    if "source" not in data:
        for program, record in data.get("programs", {}).items():
            if "build" in record:
                yield document.violation(("programs", program, "build"), "there is no source to build it from")
        for face in ("manifest", "process"):
            for part in ("kustomization", "files"):
                if data["faces"].get(face, {}).get("objects", {}).get(part):
                    yield document.violation(("faces", face, "objects", part), "there is no source to take it from")
    for face in ("manifest", "process"):
        for index, template in enumerate(data["faces"].get(face, {}).get("overrides", ())):
            yield from _template(document, ("faces", face, "overrides", index), template)
    if "process" in data["faces"]:
        yield from _process(document, data["faces"]["process"])
        yield from _config(document, data["faces"]["process"])
    yield from _settings(document)


def _versions(document: Document) -> Iterator[Violation]:
    """What each entry of `versions` makes of the record must fit the schema too."""
    schema = shipped("component")
    rest = {key: value for key, value in document.data.items() if key != "versions"}
    for index, entry in enumerate(document.data.get("versions", ())):
        found = schema.find(document, with_entry(rest, entry), at=("versions", index))
        yield from (*found.wrong, *found.unknown)


def _template(document: Document, place: tuple[str | int, ...], template: str) -> Iterator[Violation]:
    if not (file := resources.override(template)).is_file():
        hint = "" if Path(template).is_absolute() else "; give the absolute path of a file of your own"
        yield document.violation(place, f"there is no file {file}{hint}")


def _process(document: Document, face: Mapping[str, Any]) -> Iterator[Violation]:
    where = ("faces", "process")
    uses = [f"{process['name']}/{port}" for process in face["processes"] for port in process.get("ports", ())]
    served = {
        ("webhooks", "port"): ("webhooks", face.get("webhooks", {}).get("port")),
        ("apis",): ("APIs", face.get("apis")),
    }
    for part, (what, port) in served.items():
        if port is None:
            continue
        if port not in uses:
            message = f"no process has the port {port!r}; there are {', '.join(uses) or 'none'}"
            yield document.violation((*where, *part), message)
        if "certificates" not in face:
            message = f"{what} are served with certificates, which are missing here"
            yield document.violation((*where, part[0]), message)
    for number, process in enumerate(face["processes"]):
        place = (*where, "processes", number)
        texts: list[tuple[tuple[str | int, ...], str]]
        texts = [((*place, "args", index), text) for index, text in enumerate(process["args"])]
        texts += [((*place, key), process[key]) for key in ("ready", "metrics") if key in process]
        texts += [((*place, "environment", key), text) for key, text in process.get("environment", {}).items()]
        known = {*VARIABLES, *(f"{_PORT}{port}" for port in process.get("ports", ()))}
        for path, text in texts:
            for name in sorted(set(_VARIABLE.findall(text)) - known):
                if name.startswith(_PORT):
                    message = f"{process['name']} has no port {name.removeprefix(_PORT)!r}"
                else:
                    message = (
                        f"unknown variable {name!r}{nearest(name, known) or '; known: ' + ', '.join(sorted(known))}"
                    )
                yield document.violation(path, message)
        yield from _tunables(document, place, process)
        for index, file in enumerate(process.get("files", ())):
            yield from _template(document, (*place, "files", index, "template"), file["template"])


def _tunables(document: Document, place: tuple[str | int, ...], process: Mapping[str, Any]) -> Iterator[Violation]:
    """What is at a path needs a configuration that has it."""
    configured = "config" in names(process["args"])
    for name, one in process.get("tunables", {}).items():
        where = (*place, "tunables", name)
        several = {(*where, of): each for of, each in one.items()} if name == "workers" else {where: one}
        for at, tunable in several.items():
            if "path" in tunable:
                yield from _path(document, (*at, "path"), tunable["path"])
            if "override" in tunable:
                yield from _template(document, (*at, "override"), tunable["override"])
            elif "path" in tunable and not configured:
                message = f"{process['name']} has no flag --config with a file; give the override that has it"
                yield document.violation((*at, "path"), message)


def _config(document: Document, face: Mapping[str, Any]) -> Iterator[Violation]:
    """The file and the process that a configuration names are there."""
    config, place = face.get("config", {}), ("faces", "process", "config")
    processes = {process["name"]: process for process in face["processes"]}
    name = config.get("process")
    if name is not None and name not in processes:
        message = f"there is no process {name!r}{nearest(name, processes)}"
        yield document.violation((*place, "process"), message)
    elif "file" in config:
        files = [file["name"] for file in processes[name].get("files", ())]
        if config["file"] not in files:
            message = f"{name} has no file {config['file']!r}; there are {', '.join(files) or 'none'}"
            yield document.violation((*place, "file"), message)
    for index, text in enumerate(config.get("fixed", ())):
        yield from _path(document, (*place, "fixed", index), text)


def _settings(document: Document) -> Iterator[Violation]:
    """Short names stand for paths into a configuration."""
    settings = document.data.get("settings", {})
    if settings and "config" not in document.data["faces"].get("process", {}):
        yield document.violation(("settings",), "there is no config in the process face that these could be about")
    for name, one in settings.items():
        yield from _path(document, ("settings", name, "path"), one["path"])
        if one.get("default", "") not in ("", *one["values"]):
            near = nearest(one["default"], one["values"])
            yield document.violation(("settings", name, "default"), f"{one['default']!r} is none of the values{near}")


def _path(document: Document, place: tuple[str | int, ...], text: str) -> Iterator[Violation]:
    try:
        paths.path_of(text)
    except UsageError as error:
        yield document.violation(place, error.message)
