"""Kubeconfigs as kubectl reads them: several files as one, and paths relative to the file in which they stand."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import yaml

from knavtool.documents.complaints import nearest
from knavtool.documents.scalars import text
from knavtool.documents.yaml import load_rendered
from knavtool.errors import DocumentError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

_SECTIONS = {"clusters": "cluster", "users": "user", "contexts": "context"}
_PATHS = {"clusters": ("certificate-authority",), "users": ("client-certificate", "client-key", "tokenFile")}


@dataclass(frozen=True, slots=True, kw_only=True)
class Kubeconfig:
    """One context with its cluster and its user; all paths are absolute.

    `where` names the files in messages. `user` is empty if the context has none.
    """

    where: str
    context: str
    cluster: Mapping[str, Any]
    user: Mapping[str, Any] = field(repr=False)
    namespace: str = ""

    def content(self) -> dict[str, Any]:
        """A kubeconfig of this context alone, which is right wherever it is written."""
        inner = {"cluster": self.context, "user": self.context}
        return {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": self.context, "cluster": dict(self.cluster)}],
            "users": [{"name": self.context, "user": dict(self.user)}],
            "contexts": [
                {"name": self.context, "context": inner | ({"namespace": self.namespace} if self.namespace else {})}
            ],
            "current-context": self.context,
        }


def choose(files: Sequence[Path], context: str | None) -> Kubeconfig:
    """The context of that name, or the current one, of several files together; raises DocumentError.

    Of two entries with one name the first counts, and so does the first current context that is named.
    """
    where = os.pathsep.join(map(str, files))
    found: dict[str, dict[str, Any]] = {section: {} for section in _SECTIONS}
    current = ""
    for file in files:
        content = _read(file)
        current = current or _text(content.get("current-context"))
        for section, entries in found.items():
            for name, entry in _entries(file, content, section):
                entries.setdefault(name, entry)
    name = context or current
    known = found["contexts"]
    if not name:
        raise DocumentError(f"{where}: no current-context", hint=f"name a context with --context{_known(known)}")
    if name not in known:
        message = f"{where}: there is no context {name!r}{nearest(name, known)}"
        raise DocumentError(message, hint=f"`kubectl config get-contexts` lists contexts{_known(known)}")
    chosen = known[name]
    parts: dict[str, Mapping[str, Any]] = {"cluster": {}, "user": {}}
    for what in parts:
        named = _text(chosen.get(what))
        if named in found[f"{what}s"]:
            parts[what] = found[f"{what}s"][named]
        elif named or what == "cluster":
            says = f"names the {what} {named!r}, which is not there" if named else f"names no {what}"
            raise DocumentError(f"{where}: the context {name!r} {says}", hint="correct the context, or choose another")
    return Kubeconfig(where=where, context=name, **parts, namespace=_text(chosen.get("namespace")))


def _known(contexts: Mapping[str, object]) -> str:
    return f"; there are: {', '.join(contexts)}" if contexts else ""


def _read(file: Path) -> dict[str, Any]:
    try:
        documents = load_rendered(file.read_text(encoding="utf-8-sig"))
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = f"{file}:{mark.line + 1}:{mark.column + 1}" if mark is not None else str(file)
        raise DocumentError(f"{place}: not YAML: {error.problem or error.context}") from None
    except yaml.YAMLError as error:
        raise DocumentError(f"{file}: not YAML: {error}") from None
    except OSError as error:
        raise DocumentError(f"{file}: the kubeconfig cannot be read: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise DocumentError(f"{file}: not a kubeconfig: not UTF-8 text (byte {error.start})") from None
    content: Any = documents[0] if documents else {}
    if not isinstance(content, dict):
        raise DocumentError(f"{file}: not a kubeconfig: expected a map with clusters, users and contexts")
    return content


def _entries(file: Path, content: Mapping[str, Any], section: str) -> Iterator[tuple[str, dict[str, Any]]]:
    given = content.get(section) or []
    if not isinstance(given, list):
        raise DocumentError(f"{file}: not a kubeconfig: {section} must be a list")
    seen: set[str] = set()
    for number, item in enumerate(given):
        name = _text(item.get("name")) if isinstance(item, dict) else ""
        if not name:
            raise DocumentError(f"{file}: not a kubeconfig: {section}[{number}] has no name")
        inner = item.get(_SECTIONS[section]) or {}
        if not isinstance(inner, dict):
            raise DocumentError(f"{file}: not a kubeconfig: {section}[{number}].{_SECTIONS[section]} must be a map")
        if name in seen:
            raise DocumentError(f"{file}: not a kubeconfig: {section} has two entries {name!r}")
        seen.add(name)
        yield name, _with_paths(file, section, inner)


def _text(name: Any) -> str:
    """A name, which YAML may take for something else; empty if there is none."""
    return text(name) if name is not None and not isinstance(name, dict | list) else ""


def _with_paths(file: Path, section: str, entry: dict[str, Any]) -> dict[str, Any]:
    """The entry without what is null, its paths absolute; also that of a credential plugin, unless PATH has it."""
    base = file.absolute().parent
    absolute = {key: value for key, value in entry.items() if value is not None}
    for key in _PATHS.get(section, ()):
        if absolute.get(key):
            absolute[key] = str(base / str(absolute[key]))
    plugin = absolute.get("exec")
    if section == "users" and isinstance(plugin, dict) and os.sep in str(plugin.get("command") or ""):
        absolute["exec"] = {**plugin, "command": os.path.normpath(base / str(plugin["command"]))}
    return absolute
