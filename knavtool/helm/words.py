"""What Helm writes to stderr, as errors of ours."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from knavtool.errors import ClusterError, DeadlineExceeded, Unreachable

if TYPE_CHECKING:
    from collections.abc import Mapping

_RENDERING = (
    "execution error",
    "parse error",
    "don't meet the specifications",
    "error: template: ",
    "failed: template: ",
)
"""What Helm's message has in lower case if a chart, not a cluster, is at fault."""
_SCHEMA = re.compile(r"values don't meet the specifications of the schema\(s\) in the following chart\(s\):\s+\S+:\s+")
_ONE_OF_MANY = re.compile(r"\b1 error occurred:\s+\* ")
_NOISE = re.compile(r"WARNING: |level=|[IWE]\d{4} ")
_LATE = ("timed out waiting", "context deadline exceeded", "deadline exceeded")
_UNREACHABLE = ("cluster unreachable", "connection refused", "no such host", "i/o timeout")


def without(text: str, secrets: Mapping[str, str]) -> str:
    """The text with the names of secrets in the place of their values, which Helm quotes when they do not fit."""
    for name, secret in sorted(secrets.items(), key=lambda one: len(one[1]), reverse=True):
        # Between quotation marks some characters are written in another way.
        for form in dict.fromkeys((secret, json.dumps(secret)[1:-1])):
            text = text.replace(form, f"${{{name}}}")
    return text


def failure(text: str) -> Any:
    """The class of pyhelm3's errors for what Helm wrote to stderr."""
    from pyhelm3 import errors

    lowered = text.lower()
    if "release: not found" in lowered:
        return errors.ReleaseNotFoundError
    if any(phrase in lowered for phrase in _RENDERING):
        return errors.FailedToRenderChartError
    return errors.ConnectionError if any(phrase in lowered for phrase in _UNREACHABLE) else errors.Error


def refused(purpose: str, error: Exception) -> ClusterError:
    """The error for something that Helm did not do, told in its words."""
    from pyhelm3 import errors

    message = f"{purpose}: {message_of(error)}"
    if isinstance(error, errors.ConnectionError):
        return Unreachable(message, hint="is the cluster running? `knavtool cluster status` tells")
    if any(phrase in message.lower() for phrase in _LATE):
        return DeadlineExceeded(message, hint="give it more time with --timeout")
    hint = ""
    if "another operation" in message and "in progress" in message:
        hint = "an earlier Helm was stopped half-way: `helm rollback` or `helm uninstall` frees the release"
    return ClusterError(message, hint=hint)


def message_of(error: Exception) -> str:
    """Helm's words without its prefixes, warnings and advice about --debug."""
    text = str(error).strip().replace("Use --debug flag to render out invalid YAML", "")
    lines = [line for line in text.splitlines() if not _NOISE.match(line)]
    text = "\n".join(lines).strip().removeprefix("Error: ")
    for stage in ("INSTALLATION FAILED: ", "UPGRADE FAILED: "):
        text = text.removeprefix(stage)
    text = _ONE_OF_MANY.sub("", text)
    # The chart's name stands in front of each message about its schema, and again in the message itself.
    return _SCHEMA.sub("its values do not fit values.schema.json: ", text).strip()
