"""How hypothesis works here: the same cases on every machine, no deadline, nothing kept."""

from __future__ import annotations

import tempfile
from pathlib import Path

from hypothesis import HealthCheck, configuration, settings

# It writes notes of its own; they have no place beside the sources.
configuration.set_hypothesis_home_dir(Path(tempfile.gettempdir()) / "knavtool-hypothesis")
settings.register_profile(
    "knavtool", derandomize=True, deadline=None, database=None, suppress_health_check=list(HealthCheck)
)
settings.load_profile("knavtool")
