"""How many are expected: `4`, `{min: 2}`, `{min: 2, max: 4}`; a number may be an expression like `2 * {{.workers}}`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from knavtool.errors import RenderError
from knavtool.render import gotemplate
from knavtool.render.arithmetic import evaluate
from knavtool.render.number import render_number
from knavtool.workflow.references.formats import count_fault, simply_rendered

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from knavtool.documents.workflow import TaskDocument
    from knavtool.errors import Violation
    from knavtool.helm import Helm
    from knavtool.workflow.references.scope import PlannedSubmission


@dataclass(frozen=True, slots=True)
class Amount:
    """At least `least` and at most `most`; None means any number above."""

    least: int
    most: int | None

    @classmethod
    def exactly(cls, number: int) -> Amount:
        """That many and no others."""
        return cls(number, number)

    def __contains__(self, number: int) -> bool:
        return self.least <= number and (self.most is None or number <= self.most)

    def __add__(self, other: Amount) -> Amount:
        most = None if self.most is None or other.most is None else self.most + other.most
        return Amount(self.least + other.least, most)

    def __mul__(self, times: int) -> Amount:
        return Amount(self.least * times, None if self.most is None else self.most * times)

    def __str__(self) -> str:
        """`4`, `2 to 4`, `at least 2`, `at most 4`."""
        if self.most is None:
            return f"at least {self.least}"
        if self.least == self.most:
            return str(self.least)
        return f"{self.least} to {self.most}" if self.least else f"at most {self.most}"

    @property
    def exact(self) -> bool:
        """Whether one number alone is expected."""
        return self.least == self.most

    def data(self) -> object:
        """For machines: a number, or a map with `min` and `max`."""
        if self.exact:
            return self.least
        return {"min": self.least} | ({} if self.most is None else {"max": self.most})


def total(amounts: Iterable[Amount]) -> Amount:
    """All of them together."""
    return sum(amounts, start=Amount.exactly(0))


@dataclass(frozen=True, slots=True, kw_only=True)
class AmountDocument:
    """An amount as written below the parameter `path`; its templates are printed with the parameters of a SubmitObj."""

    document: TaskDocument
    path: tuple[str, ...]

    @classmethod
    def of(cls, document: TaskDocument, *path: str) -> AmountDocument | None:
        """None if the parameter is not given."""
        written = cls(document=document, path=path)
        return written if written.given is not None else None

    @property
    def given(self) -> Any:
        """The number, the text, or the map."""
        value: Any = self.document.params
        for key in self.path:
            value = value.get(key) if isinstance(value, dict) else None
        return value

    def violations(self, *rounds: Mapping[str, Any]) -> Iterator[Violation]:
        """What can be seen without the template engine; `rounds` are the parameters, {} where none can be printed."""
        for params in rounds:
            found = list(self._wrong(params))
            yield from found
            if found:
                return

    def _wrong(self, params: Mapping[str, Any]) -> Iterator[Violation]:
        numbers: dict[str, int] = {}
        for path, text in self._texts().items():
            missing = [one.field for one in gotemplate.required(text) if not gotemplate.given(one.field, params)]
            if missing:
                yield self.document.violation(f"{text!r} prints {{{{.{missing[0]}}}}}, which is not given", *path)
            elif (simple := simply_rendered(text, params)) is not None:
                if fault := count_fault(simple, ""):
                    yield self.document.violation(fault, *path)
                else:
                    numbers[path[-1]] = evaluate(simple)
        if numbers.get("max", 0) < numbers.get("min", 0) and "max" in numbers:
            message = f"the maximum {numbers['max']} is less than the minimum {numbers['min']}"
            yield self.document.violation(message, *self.path, "max")

    async def value(self, params: Mapping[str, Any], helm: Helm) -> Amount:
        """Raises RenderError if a text gives no number."""
        numbers: dict[str, int] = {}
        for path, text in self._texts().items():
            simple = simply_rendered(text, params)
            where = self.document.where(*path)
            rendered = simple or await render_number(helm, text, params, file=Path(self.document.file), where=where)
            if fault := count_fault(rendered, ""):
                raise RenderError(f"{where}: {fault}")
            numbers[path[-1]] = evaluate(rendered)
        return self._amount(numbers)

    async def per_round(self, planned: PlannedSubmission, helm: Helm) -> dict[int, Amount]:
        """The value by the key of each round of a SubmitObj; raises RenderError."""
        rounds = zip(planned.keys, planned.params(), strict=True)
        return {key: await self.value(params, helm) for key, params in rounds}

    def plain(self) -> Amount:
        """The value of one without templates, which `violations` has passed."""
        return self._amount({path[-1]: evaluate(text) for path, text in self._texts().items()})

    def _amount(self, numbers: Mapping[str, int]) -> Amount:
        if isinstance(self.given, dict):
            return Amount(numbers.get("min", 0), numbers.get("max"))
        return Amount.exactly(numbers[self.path[-1]])

    def _texts(self) -> dict[tuple[str, ...], str]:
        if isinstance(self.given, dict):
            return {(*self.path, key): _text(value) for key, value in self.given.items() if value is not None}
        return {self.path: _text(self.given)}


def _text(number: Any) -> str:
    return number if isinstance(number, str) else str(int(number))
