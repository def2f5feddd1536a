"""Text rendered from an object template, read as one Kubernetes object."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import yaml

from knavtool.documents.values import text as scalar_text
from knavtool.documents.yaml import load_rendered
from knavtool.errors import RenderError

if TYPE_CHECKING:
    from knavtool.render.manifests import Manifest

NO_VALUE = "<no value>"
"""What Go prints for a parameter that is not given."""


def parse(body: str, where: str, *, lenient: bool = False) -> Manifest:
    """Read one object; `where` names its source in messages. Raises RenderError.

    With `lenient`, `<no value>` is text like any other. Labels and annotations become text, everything else stays as
    it is written.
    """
    lines = body.split("\n")
    for line in lines if not lenient else ():
        if NO_VALUE in line and not line.lstrip().startswith("#"):
            raise RenderError(
                f"{where}: prints a parameter that is not given: {line.strip()}",
                hint="give it in params, or guard it with {{ if }} or {{ or .parameter default }}",
            )
    try:
        documents: list[Any] = load_rendered(body)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = "" if mark is None or mark.line >= len(lines) else lines[mark.line].strip()
        raise RenderError(
            f"{where}: does not render to YAML: {error.problem or error.context} at: {line or 'its end'}"
        ) from None
    except (yaml.YAMLError, ValueError) as error:
        raise RenderError(f"{where}: does not render to YAML: {error}") from None
    if len(documents) != 1 or not isinstance(documents[0], dict):
        raise RenderError(f"{where}: must render to one object, but gives {_what(documents)}")
    return _checked(documents[0], where)


def _what(documents: list[Any]) -> str:
    if not documents:
        return "nothing"
    return f"{len(documents)} documents" if len(documents) > 1 else f"a {type(documents[0]).__name__}"


def _checked(manifest: Manifest, where: str) -> Manifest:
    for key in ("apiVersion", "kind"):
        if not isinstance(manifest.get(key), str) or not manifest[key]:
            raise RenderError(f"{where}: {key} is missing")
    metadata = manifest.get("metadata")
    if not isinstance(metadata, dict):
        raise RenderError(f"{where}: metadata.name is missing")
    for key in ("name", "generateName", "namespace"):
        # An object may well be called 7 or true; YAML does not know that.
        if metadata.get(key) is not None:
            metadata[key] = _as_text(metadata[key], f"{where}: metadata.{key}")
    if not metadata.get("name") and not metadata.get("generateName"):
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
    return manifest


def _as_text(value: Any, what: str) -> str:
    if isinstance(value, dict | list):
        raise RenderError(f"{what} must be text")
    return scalar_text(value)
