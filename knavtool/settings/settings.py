"""The settings of one component: what the command line or a document changes of what its record says."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What differs from a component's record.

    `config` is merged over the component's own configuration, or `text` takes its place; then `fields`, values by
    path or shortcut, are put into it. `args` are whole arguments by process and name of the flag, `environment` values
    by process and variable; None removes one. `source` is the file that `config` or `text` came from, for messages.
    """

    config: Mapping[str, Any] = field(default_factory=dict)
    text: str | None = None
    fields: Mapping[str, Any] = field(default_factory=dict)
    args: Mapping[str, Mapping[str, str | None]] = field(default_factory=dict)
    environment: Mapping[str, Mapping[str, str | None]] = field(default_factory=dict)
    source: str = field(default="", compare=False)

    def __bool__(self) -> bool:
        """Whether anything differs."""
        return self != Settings()

    @property
    def configures(self) -> bool:
        """Whether the configuration differs."""
        return bool(self.config or self.text is not None or self.fields)

    def configuration(self) -> Settings:
        """What of them is about the configuration."""
        return Settings(config=self.config, text=self.text, fields=self.fields, source=self.source)

    def of(self, process: str, *, configured: bool) -> Settings:
        """What of them is about one process; the configuration if it is the one that is `configured` by it."""
        about = self.configuration() if configured else Settings()
        return Settings(
            config=about.config,
            text=about.text,
            fields=about.fields,
            source=about.source,
            args={process: self.args[process]} if self.args.get(process) else {},
            environment={process: self.environment[process]} if self.environment.get(process) else {},
        )

    def since(self, before: Settings) -> Settings:
        """What of them is not in those of before; all of them if nothing was added."""
        same = (self.config, self.text) == (before.config, before.text)
        new = Settings(
            config={} if same else self.config,
            text=None if same else self.text,
            fields=_new(self.fields, before.fields),
            args={name: _new(one, before.args.get(name, {})) for name, one in self.args.items()},
            environment={name: _new(one, before.environment.get(name, {})) for name, one in self.environment.items()},
            source=self.source,
        )
        return new if new.configures or any(new.args.values()) or any(new.environment.values()) else self

    def as_data(self) -> dict[str, Any]:
        """As it is kept in JSON; `from_data` reads it."""
        return {name: value for name, value in asdict(self).items() if value not in (None, {}, "")}

    @classmethod
    def from_data(cls, data: Mapping[str, Any]) -> Settings:
        """What `as_data` wrote; TypeError if that is not what it was."""
        return cls(**data)


def _new(after: Mapping[str, Any], before: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in after.items() if name not in before or before[name] != value}
