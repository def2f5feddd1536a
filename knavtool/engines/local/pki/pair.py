"""The files with which a component serves."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True, slots=True)
class Pair:
    """What a component serves with, as PEM files in one directory; all of them are for their owner alone."""

    directory: Path

    @property
    def authority(self) -> Path:
        """The certificate of the authority, which clients trust."""
        return self.directory / "ca.crt"

    @property
    def authority_key(self) -> Path:
        """The key of the authority; there only for components that want it."""
        return self.directory / "ca.key"

    @property
    def certificate(self) -> Path:
        """The certificate of the server."""
        return self.directory / "tls.crt"

    @property
    def key(self) -> Path:
        """The key of the server."""
        return self.directory / "tls.key"

    def bundle(self) -> str:
        """The authority as `caBundle` of a webhook or a conversion wants it: base64 of the PEM."""
        return base64.b64encode(self.authority.read_bytes()).decode()
