"""Helm through pyhelm3: template, install, history, roll back, uninstall. The only package that imports pyhelm3."""

from __future__ import annotations

from knavtool.helm.client import Helm, Revision

__all__ = ["Helm", "Revision"]
