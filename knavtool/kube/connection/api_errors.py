"""Turns HTTP answers of the API server into our errors."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import orjson

from knavtool import errors

if TYPE_CHECKING:
    from collections.abc import Mapping

_BY_STATUS: dict[int, type[errors.ClusterError]] = {
    400: errors.Invalid,
    401: errors.Unauthorized,
    403: errors.Forbidden,
    404: errors.NotFound,
    409: errors.Conflict,
    410: errors.Expired,
    422: errors.Invalid,
    504: errors.DeadlineExceeded,
}
_HINTS = {"NamespaceTerminating": "wait until the namespace is gone and create it again, or use another one"}
"""By the reason of a cause."""
_LONGEST = 2000
_SERVER_ERROR = 500
_WEBHOOK = re.compile(r'failed calling webhook "([^"]+)"')
_WEBHOOK_HINT = (
    "does the controller of this webhook run? "
    "`kubectl get validatingwebhookconfigurations,mutatingwebhookconfigurations` lists the webhooks"
)


def refusal(status: int, body: bytes, request: str, *, hint: str = "") -> errors.ClusterError:
    """The error for an answer of 400 and above; `request` is for example "create pods default/x"."""
    message, reason, causes = _status_of(body)
    kind = _BY_STATUS.get(status, errors.ClusterError)
    if reason == "AlreadyExists":
        kind = errors.AlreadyExists
    if reason == "Expired":
        kind = errors.Expired
    hint = hint or next((_HINTS[cause] for cause in causes if cause in _HINTS), "")
    text = (message or (f"HTTP {status}" if status else "refused without a reason"))[:_LONGEST]
    webhook = _WEBHOOK.search(text) if status >= _SERVER_ERROR else None
    cause = f"webhook {webhook[1]}" if webhook is not None else text
    if webhook is not None:
        hint = hint or _WEBHOOK_HINT
    return kind(f"{request}: {text}", status=status, reason=reason, hint=hint, cause=cause)


def event_refusal(status: Mapping[str, object], request: str) -> errors.ClusterError:
    """The error for a watch event of type ERROR."""
    code = status.get("code")
    return refusal(code if isinstance(code, int) else 0, orjson.dumps(status), request)


def _status_of(body: bytes) -> tuple[str, str, list[str]]:
    """Message, reason, and the reasons of the causes."""
    try:
        status = orjson.loads(body)
    except orjson.JSONDecodeError:
        return body.decode(errors="replace").strip(), "", []
    if not isinstance(status, dict):
        return str(status), "", []
    details = status.get("details")
    causes = details.get("causes") if isinstance(details, dict) else None
    reasons = [str(cause.get("reason", "")) for cause in causes or () if isinstance(cause, dict)]
    # `error` is what Prometheus calls it, which may answer through the API server.
    message = status.get("message") or status.get("error") or ""
    return str(message), str(status.get("reason", "")), reasons
