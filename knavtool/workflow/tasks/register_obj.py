"""RegisterObj: name a template for later SubmitObj tasks. All of its work is done while the plan is built."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Self

from knavtool.errors import DocumentError
from knavtool.render.formats import Formats
from knavtool.render.source import load_template
from knavtool.workflow.references.scope import Registration
from knavtool.workflow.references.templates import find_template, shown
from knavtool.workflow.task import Outcome, Task

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from knavtool.documents.workflow import TaskDocument
    from knavtool.errors import Violation
    from knavtool.render.source import ObjectTemplate
    from knavtool.workflow.references.scope import Scope
    from knavtool.workflow.task import Context


@dataclass(frozen=True, slots=True, kw_only=True)
class RegisterObj(Task):
    """A template file, and how its objects and their pods are called; a `raw` one is taken as it is."""

    template: str
    formats: Formats
    raw: bool

    summary: ClassVar[str] = "Names a template file, and says how its objects and their pods are called."
    schema: ClassVar[Mapping[str, Any]] = {
        "required": ["template"],
        "properties": {
            "template": {
                "type": ["string", "number", "boolean"],
                "minLength": 1,
                "maxLength": 1000,
                "pattern": "^[^\\x00-\\x1f\\x7f]*$",
                "x-text": True,
                "x-expected": "the path of a file",
                "patternErrorMessage": "Expected the path of a file.",
                "description": (
                    "The template's file; looked for in the working directory, then beside the workflow file."
                ),
            },
            "nameFormat": {
                "$ref": "#/$defs/string",
                "description": (
                    "Go template for the name of each object, such as job{{._ENUM_}}; _ENUM_ counts up over all "
                    "objects."
                ),
            },
            "podNameFormat": {
                "$ref": "#/$defs/string",
                "description": (
                    "Go template for a regular expression (RE2) that the whole name of each pod of an object "
                    "matches; needs podCount."
                ),
            },
            "podCount": {
                "$ref": "#/$defs/string",
                "description": (
                    "Go template for the number of pods of an object; a number or an expression such as 2 * "
                    "{{.workers}} + 1."
                ),
            },
            "raw": {
                "type": ["boolean", "null"],
                "description": (
                    "The file is taken as it is, not as a template: what stands in {{ }} is not rendered. A "
                    "nameFormat still names the objects."
                ),
            },
        },
    }

    @classmethod
    def parse(cls, document: TaskDocument) -> Self:
        params = document.params
        return cls(
            document=document,
            template=params["template"],
            # An empty format is none: Knavigator's files sometimes leave the field in place without a value.
            formats=Formats(
                name=params.get("nameFormat") or None,
                pod_name=params.get("podNameFormat") or None,
                pod_count=params.get("podCount") or None,
            ),
            raw=bool(params.get("raw")),
        )

    def check(self, scope: Scope) -> Iterator[Violation]:
        if (self.formats.pod_name is None) is not (self.formats.pod_count is None):
            given, missing = (
                ("podCount", "podNameFormat") if self.formats.pod_name is None else ("podNameFormat", "podCount")
            )
            yield self.document.violation(
                f"{given} needs {missing}: together they say which pods an object starts", given
            )
        template: ObjectTemplate | None = None
        bases = [*scope.search, *scope.within]
        found, places = find_template(self.template, Path(self.document.file), scope.search, scope.within)
        if found is None:
            looked = ", ".join(str(shown(place, bases)) for place in places)
            where = f"looked at {looked}" if looked else "it lies outside of the files that may be read"
            yield self.document.violation(f"there is no template {self.template!r}; {where}", "template")
        else:
            try:
                # Messages call the file as a reader in the working directory would.
                template = replace(load_template(found, raw=self.raw), file=shown(found, bases))
            except DocumentError as error:
                yield self.document.violation(error.message, "template")
        if (earlier := scope.registrations.get(self.document.id)) is not None:
            yield scope.taken(self.document, earlier.document)
            return
        scope.registrations[self.document.id] = Registration(
            document=self.document, template=template, formats=self.formats
        )

    def files(self, scope: Scope) -> Iterator[Path]:
        template = scope.registrations[self.document.id].template
        if template is not None:
            yield template.file

    async def run(self, context: Context, scope: Scope) -> Outcome:  # noqa: ARG002 - nothing is sent
        registration = scope.registrations[self.document.id]
        return Outcome(message=str(registration.template.file) if registration.template is not None else "")
