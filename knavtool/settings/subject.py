"""What settings can be about: a component or a process of the control plane, as far as settings go."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """Where a component reads its configuration: a file of a process, or a key of an object in the cluster.

    `object` has apiVersion, kind, namespace and name. The `process`, if one is named, is started again when the
    configuration has changed. `fixed` are paths that settings cannot change, besides values with `${...}`.
    """

    process: str = ""
    file: str = ""
    object: Mapping[str, str] = field(default_factory=dict)
    key: str = ""
    fixed: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Shortcut:
    """A short name for a value at a path: what each choice stands for, and the choice that the record makes, if any."""

    path: str
    values: Mapping[str, Any]
    default: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """A component with its processes; `template` is its own configuration with `${...}` in it, None if it has none.

    `fixed_args` and `fixed_environment` are flags and variables by process that knavtool itself needs as they are.
    """

    name: str
    processes: tuple[str, ...] = ()
    config: Config | None = None
    template: str | None = None
    shortcuts: Mapping[str, Shortcut] = field(default_factory=dict)
    fixed_args: Mapping[str, frozenset[str]] = field(default_factory=dict)
    fixed_environment: Mapping[str, frozenset[str]] = field(default_factory=dict)

    @property
    def chooses(self) -> bool:
        """Whether its record makes choices of its own in the configuration."""
        return any(one.default for one in self.shortcuts.values())

    def configured(self, process: str) -> bool:
        """Whether this is the process that reads the configuration."""
        return self.config is not None and self.config.process == process
