"""The cluster's context in a kubeconfig: added and made current, removed and the one before restored."""

from __future__ import annotations

import contextlib
import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from knavtool.atomic import atomic_write
from knavtool.documents.yaml import dump, load_rendered
from knavtool.errors import DocumentError, EngineError, why_not

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_LOCK_WAIT = 5.0
_LISTS = ("clusters", "users", "contexts")
_EMPTY = {"apiVersion": "v1", "kind": "Config", "clusters": [], "users": [], "contexts": [], "current-context": ""}


def chosen_file(option: Path | None, environment: Mapping[str, str]) -> Path:
    """The kubeconfig to write, in kubectl's order: the option, the first file of $KUBECONFIG that exists (the last if
    none does), ~/.kube/config."""
    if option is not None:
        return option.expanduser().absolute()
    listed = [Path(item).absolute() for item in environment.get("KUBECONFIG", "").split(os.pathsep) if item]
    if listed:
        return next((file for file in listed if file.is_file()), listed[-1])
    return Path(environment.get("HOME") or Path.home()) / ".kube" / "config"


def read(file: Path) -> dict[str, Any]:
    """The content of a kubeconfig, an empty one if there is no such file; raises DocumentError if it is none."""
    try:
        # As Go reads it: what looks like a date is text, and is written as text again.
        content: Any = next(iter(load_rendered(file.read_text(encoding="utf-8-sig"))), None)
    except FileNotFoundError:
        content = None
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        place = f"{file}:{mark.line + 1}:{mark.column + 1}" if mark else str(file)
        raise DocumentError(f"{place}: not a kubeconfig: {error.problem}", hint="nothing was changed") from None
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise DocumentError(f"{file}: not a usable kubeconfig: {error}", hint="nothing was changed") from None
    if content is None:
        return {key: list(value) if isinstance(value, list) else value for key, value in _EMPTY.items()}
    if not isinstance(content, dict) or not all(_named(content.get(key) or []) for key in _LISTS):
        raise DocumentError(f"{file}: not a kubeconfig", hint="nothing was changed")
    return content


def _named(entries: Any) -> bool:
    """Whether this is a list of maps that all have a name."""
    return isinstance(entries, list) and all(isinstance(entry, dict) and "name" in entry for entry in entries)


def has_context(file: Path, context: str, server: str) -> bool:
    """Whether the kubeconfig has this context, for this server, and it is the current one."""
    content = read(file)
    servers = [entry.get("cluster") for entry in content.get("clusters") or () if entry["name"] == context]
    right = [cluster for cluster in servers if isinstance(cluster, dict) and cluster.get("server") == server]
    return content.get("current-context") == context and bool(right) and _knows(content, context)


def current_context(file: Path) -> str:
    """The name of the current context, "" if there is none."""
    return str(read(file).get("current-context") or "")


def add_context(file: Path, context: str, *, server: str, pki: Path, token: str = "") -> None:
    """Add the context, or bring it up to date, and make it current; its user has the `token` or else a certificate."""
    certificate = {"client-certificate": str(pki / "admin.crt"), "client-key": str(pki / "admin.key")}
    with _changed(file) as content:
        _remove(content, context)
        content["clusters"].append(
            {"name": context, "cluster": {"server": server, "certificate-authority": str(pki / "ca.crt")}}
        )
        content["users"].append({"name": context, "user": {"token": token} if token else certificate})
        content["contexts"].append({"name": context, "context": {"cluster": context, "user": context}})
        content["current-context"] = context


def knows_context(file: Path, context: str) -> bool:
    """Whether the kubeconfig has a context of this name."""
    return _knows(read(file), context)


def _knows(content: dict[str, Any], context: str) -> bool:
    return any(entry["name"] == context for entry in content.get("contexts") or ())


def remove_context(file: Path, context: str, *, before: str = "") -> bool:
    """Remove the context; if it is current, `before` becomes current again if it is still there."""
    if not knows_context(file, context):
        return False
    with _changed(file) as content:
        _remove(content, context)
        if content.get("current-context") == context:
            left = {entry["name"] for entry in content["contexts"]}
            content["current-context"] = before if before in left else ""
    return True


def _remove(content: dict[str, Any], context: str) -> None:
    for key in _LISTS:
        content[key] = [entry for entry in content.get(key) or () if entry["name"] != context]


@contextlib.contextmanager
def _changed(file: Path) -> Iterator[dict[str, Any]]:
    """Read, change and write a kubeconfig under the lock that kubectl uses too; readers see the old or the new file."""
    real = file.resolve()
    try:
        real.parent.mkdir(parents=True, exist_ok=True)
        with _locked(real.with_name(f"{real.name}.lock")):
            content = read(real)
            yield content
            atomic_write(real, dump([content]))
    except OSError as error:
        another = "name another kubeconfig with --kubeconfig"
        hint = why_not(error, denied=another, elsewhere=another)
        raise EngineError(f"cannot write {error.filename or file}: {error.strerror}", hint=hint) from error


@contextlib.contextmanager
def _locked(lock: Path) -> Iterator[None]:
    """Hold kubectl's lock: a file that exists while somebody writes, which is a matter of milliseconds."""
    deadline = time.monotonic() + _LOCK_WAIT
    while True:
        try:
            os.close(os.open(lock, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
            break
        except FileExistsError:
            if time.monotonic() > deadline:
                hint = f"if no program is writing it, remove {lock}"
                raise EngineError(f"{lock} says that another program is writing this kubeconfig", hint=hint) from None
            time.sleep(0.02)
    try:
        yield
    finally:
        lock.unlink(missing_ok=True)
