"""The machine of a bench: what two results must have in common to be compared."""

from __future__ import annotations

import os
import platform
from pathlib import Path

from knavtool.usage import cores


def about() -> dict[str, str]:
    """System, processors and memory; texts, empty where nobody knows."""
    return {
        "system": f"{platform.system()} {platform.machine()}",
        "cores": str(cores()),
        "processor": _processor(),
        "memory": _memory(),
    }


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return ""
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "")


def _memory() -> str:
    try:
        size = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (OSError, ValueError):
        return ""
    return f"{size / 2**30:.0f} GiB"
