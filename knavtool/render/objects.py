"""Text rendered from a document of an object template, read as Kubernetes objects as `kubectl create` reads them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import yaml

from knavtool.documents.values import text as scalar_text
from knavtool.documents.yaml import load_rendered
from knavtool.errors import RenderError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from knavtool.render.manifests import Manifest
    from knavtool.render.source import ObjectTemplate

NO_VALUE = "<no value>"
"""What Go prints for a parameter that is not given."""
_VERSION = re.compile(r"resourceVersion[\"']?\s*:")


def parse(
    body: str, template: ObjectTemplate, document: int, *, lenient: bool = False, named: bool = False
) -> list[Manifest]:
    """The objects of one document: none if it is empty, each item of a `kind: List`. Raises RenderError.

    With `lenient`, `<no value>` is text like any other; with `named` the objects get their names later. Labels and
    annotations become text, everything else stays as it is written.
    """
    where = template.place(document)
    lines = body.split("\n")
    for text in lines if not lenient else ():
        if NO_VALUE in text and not text.lstrip().startswith("#"):
            raise RenderError(
                f"{where}: prints a parameter that is not given: {text.strip()}",
                hint="give it in params, or guard it with {{ if }} or {{ or .parameter default }}",
            )
    try:
        read: list[Any] = load_rendered(body)
    except yaml.MarkedYAMLError as error:
        raise _not_yaml(error, lines, template, document) from None
    except (yaml.YAMLError, ValueError) as error:
        raise RenderError(f"{where}: does not render to YAML: {error}") from None
    found = list(flattened(read))
    for manifest in found:
        if not isinstance(manifest, dict):
            raise RenderError(f"{where}: must render to objects, but gives a {type(manifest).__name__}")
        _check(manifest, where, named=named)
        if manifest["metadata"].get("resourceVersion"):
            number = next((index for index, text in enumerate(lines) if _VERSION.search(text)), 0)
            line = template.line_of(document, lines, number) or template.lines[document]
            raise RenderError(
                f"{template.called(document, line)}: metadata.resourceVersion must not be set on creation",
                hint="remove it; `kubectl get -o yaml` prints it, and status, uid and managedFields, of a live object",
            )
    return found


def flattened(objects: list[Any]) -> Iterator[Any]:
    """The objects, with the items of each list in its place; they have its kind if they have none of their own."""
    for item in objects:
        kind = item.get("kind") if isinstance(item, dict) else None
        items = item.get("items", False) if isinstance(kind, str) and kind.endswith("List") else False
        if not isinstance(kind, str) or not isinstance(items, list | None):
            yield item
            continue
        own = {"apiVersion": item.get("apiVersion"), "kind": kind.removesuffix("List")}
        yield from flattened(
            [
                {**own, **one}
                if own["kind"] and isinstance(one, dict) and not {"apiVersion", "kind"} & set(one)
                else one
                for one in items or ()
            ]
        )


def _not_yaml(error: yaml.MarkedYAMLError, lines: list[str], template: ObjectTemplate, document: int) -> RenderError:
    mark = error.problem_mark or error.context_mark
    number = mark.line if mark is not None and mark.line < len(lines) else None
    shown = lines[number].strip() if number is not None else "its end"
    line = template.line_of(document, lines, number) if number is not None else None
    where = template.place(document) if line is None else template.called(document, line)
    if number is not None and "\t" in lines[number][: len(lines[number]) - len(lines[number].lstrip())]:
        return RenderError(f"{where}: does not render to YAML: a tab begins the line, expected spaces: {shown}")
    return RenderError(f"{where}: does not render to YAML: {error.problem or error.context} at: {shown}")


def _check(manifest: Manifest, where: str, *, named: bool) -> None:
    for key in ("apiVersion", "kind"):
        if not isinstance(manifest.get(key), str) or not manifest[key]:
            raise RenderError(f"{where}: {key} is missing")
    if named and manifest.get("metadata") is None:
        manifest["metadata"] = {}
    metadata = manifest.get("metadata")
    if not isinstance(metadata, dict):
        raise RenderError(f"{where}: metadata.name is missing")
    for key in ("name", "generateName", "namespace"):
        # An object may well be called 7 or true; YAML does not know that.
        if metadata.get(key) is not None:
            metadata[key] = _as_text(metadata[key], f"{where}: metadata.{key}")
    if not named and not metadata.get("name") and not metadata.get("generateName"):
        raise RenderError(f"{where}: metadata.name is missing")
    for key in ("labels", "annotations"):
        pairs = metadata.get(key)
        if pairs is None:
            continue
        if not isinstance(pairs, dict):
            raise RenderError(f"{where}: metadata.{key} must be a map")
        metadata[key] = {
            name: _as_text(value, f"{where}: metadata.{key}[{name}]") if value is not None else ""
            for name, value in pairs.items()
        }


def _as_text(value: Any, what: str) -> str:
    if isinstance(value, dict | list):
        raise RenderError(f"{what} must be text")
    return scalar_text(value)
