"""SubmitObj: render a template's objects and create them."""

from __future__ import annotations

import re
import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Self

import orjson

from knavtool.errors import InvalidDocument, RenderError
from knavtool.kube.resource import CUSTOM_RESOURCE_DEFINITIONS, JOBS, PERSISTENT_VOLUME_CLAIMS, PODS, STATEFUL_SETS
from knavtool.render import gotemplate
from knavtool.render.arithmetic import evaluate
from knavtool.render.template import ENUM, missing_parameters, render_objects
from knavtool.workflow.objects.creating import Making
from knavtool.workflow.references import formats
from knavtool.workflow.references.regexps import compile_pattern
from knavtool.workflow.references.scope import PlannedSubmission
from knavtool.workflow.rights import FOLLOW, SUBMITTED, Rule, Use
from knavtool.workflow.submission import pod_namespaces
from knavtool.workflow.task import DEFAULT_NAMESPACE, NOTHING, Item, Rendering, Task

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from knavtool.documents.workflow import TaskDocument
    from knavtool.errors import Violation
    from knavtool.helm import Helm
    from knavtool.kube.resource import Manifest
    from knavtool.render.formats import Formats
    from knavtool.render.source import ObjectTemplate
    from knavtool.workflow.references.scope import Registration, Scope
    from knavtool.workflow.task import Context, Outcome

_GENERATED = re.compile(r"generateName[\"']?\s*:")
_LONGEST_NAME = 63
_RANDOM_LENGTH = 5
_LETTERS = "bcdfghjklmnpqrstvwxz2456789"
"""Those of the server, which make no words."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SubmitObj(Task):
    """`count` objects of a registered template."""

    ref: str
    count: int
    can_exist: bool
    params: Mapping[str, Any]

    summary: ClassVar[str] = "Renders a registered template and creates its objects."
    schema: ClassVar[Mapping[str, Any]] = {
        "required": ["refTaskId"],
        "properties": {
            "refTaskId": {"$ref": "#/$defs/name", "description": "The id of an earlier task."},
            "count": {
                "type": ["integer", "null"],
                "minimum": 0,
                "maximum": 1000000,
                "description": "How many objects; 1 if it is left out or 0.",
            },
            "canExist": {"type": ["boolean", "null"], "description": "Objects that exist are left as they are."},
            "params": {"type": ["object", "null"], "description": "What the template prints."},
        },
    }
    submits: ClassVar[bool] = True
    rights: ClassVar[Sequence[Rule]] = (
        Rule(("create",), SUBMITTED),
        Rule(("get", "list"), SUBMITTED, use=Use.SOMETIMES),
        Rule(FOLLOW, CUSTOM_RESOURCE_DEFINITIONS, of=CUSTOM_RESOURCE_DEFINITIONS),
        Rule(("delete", *FOLLOW), SUBMITTED, use=Use.CLEANUP),
        Rule(FOLLOW, PODS, use=Use.CLEANUP, of=JOBS),
        # Claims outlive the StatefulSets that made them.
        Rule(("delete", *FOLLOW), PERSISTENT_VOLUME_CLAIMS, use=Use.SOMETIMES, of=STATEFUL_SETS),
    )

    @property
    def needs_free_names(self) -> bool:
        return not self.can_exist

    @classmethod
    def parse(cls, document: TaskDocument) -> Self:
        params = document.params
        return cls(
            document=document,
            ref=params["refTaskId"],
            count=params.get("count") or 1,
            can_exist=bool(params.get("canExist")),
            params=params.get("params") or {},
        )

    def check(self, scope: Scope) -> Iterator[Violation]:
        registration = scope.registrations.get(self.ref)
        numbered = registration is not None and registration.formats.name is not None
        planned = PlannedSubmission(
            document=self.document,
            registration=registration,
            count=self.count,
            first_enum=scope.numbers(self.count) if numbered else 0,
            keys=(scope.key(),),
            rounds=(self.document,),
        )
        if (earlier := scope.submissions.get(self.document.id)) is not None:
            yield scope.taken(self.document, earlier.document)
        else:
            scope.submissions[self.document.id] = planned
        if registration is None:
            yield scope.unregistered(self.document, self.ref)
            return
        if registration.template is not None:
            yield from self._check_template(scope, registration.template, registration.formats)
        yield from self._check_formats(registration)

    def _check_template(self, scope: Scope, template: ObjectTemplate, given: Formats) -> Iterator[Violation]:
        if template.raw:
            yield from self._check_raw(template, given)
        for name, line in missing_parameters(template, self.params):
            message = f"the template prints {{{{.{name}}}}} ({template.file}:{line}), which is not given"
            yield from scope.shared.warn_if_compat(self._violation(message, name))
        internal = "" if template.raw else formats.uses_internal(template.text)
        # Without a nameFormat, NAME and ENUM are parameters like others.
        if internal and given.name is None and self.params.get(internal) is None:
            message = (
                f"{template.file} prints {{{{.{internal}}}}}, but the RegisterObj task {self.ref!r} has no nameFormat"
            )
            yield from scope.shared.warn_if_compat(self.document.violation(message, "refTaskId"))
        generated = all(_GENERATED.search(block) for block in template.blocks)
        if self.count > 1 and not generated and ENUM not in (given.name or ""):
            message = (
                f"{self.count} objects would get one name; put {{{{._ENUM_}}}} into the nameFormat "
                f"of the RegisterObj task {self.ref!r}"
            )
            yield self.document.violation(message, "count")

    def _check_raw(self, template: ObjectTemplate, given: Formats) -> Iterator[Violation]:
        """Parameters that nothing could print."""
        printing = " ".join(filter(None, (given.name, given.pod_name, given.pod_count)))
        for name in self.params:
            if not re.search(rf"\.{re.escape(name)}\b", printing):
                message = f"{template.file} is taken as it is (raw: true), so nothing prints {name}"
                yield self._violation(message, name)

    def _check_formats(self, registration: Registration) -> Iterator[Violation]:
        where = registration.document.where
        given = registration.formats
        for key, template in (
            ("nameFormat", given.name),
            ("podNameFormat", given.pod_name),
            ("podCount", given.pod_count),
        ):
            for reference in gotemplate.required(template or ""):
                if not gotemplate.given(reference.field, self.params):
                    message = f"{key} prints {{{{.{reference.field}}}}} ({where(key)}), which is not given"
                    yield self._violation(message, reference.field)
        if given.pod_name is not None:
            example = {**self.params, "_NAME_": "name", ENUM: 1}
            pattern = formats.simply_rendered(given.pod_name, example)
            if pattern is not None and (fault := formats.pattern_fault(pattern)):
                yield registration.document.violation(fault, "podNameFormat")
        if given.pod_count is not None:
            expression = formats.simply_rendered(given.pod_count, self.params)
            if expression is not None and (fault := formats.count_fault(expression)):
                yield registration.document.violation(fault, "podCount")

    def _violation(self, message: str, name: str) -> Violation:
        return self.document.violation(message, "params", *([name] if name in self.params else []))

    async def render(self, scope: Scope, helm: Helm) -> Rendering:
        planned = scope.submissions[self.document.id]
        if planned.registration is None or planned.registration.template is None:
            return NOTHING
        registration, template = planned.registration, planned.registration.template
        rendered = await render_objects(
            helm,
            template,
            registration.formats,
            params=self.params,
            count=self.count,
            first_enum=planned.first_enum,
            lenient=scope.shared.lenient,
        )
        wrong = [
            registration.document.violation(fault, "podNameFormat")
            for pattern in rendered.pod_patterns
            if (fault := formats.pattern_fault(pattern))
        ][:1]
        if registration.formats.pod_count is not None and (fault := formats.count_fault(rendered.pod_count)):
            wrong.append(registration.document.violation(fault, "podCount"))
        if wrong:
            raise InvalidDocument(wrong)
        generated = _GeneratedNames()
        instances = tuple(
            tuple(_item(manifest, number, generated) for manifest, number in zip(objects, documents, strict=True))
            for objects, documents in zip(rendered.objects, rendered.documents, strict=True)
        )
        _check_names(instances, template, self.document)
        per_object = evaluate(rendered.pod_count) if registration.formats.pod_count is not None else 0
        return Rendering(
            instances=instances,
            pod_patterns=tuple(_compiled(rendered.pod_patterns)),
            pod_count=per_object * self.count,
        )

    async def run(self, context: Context, scope: Scope) -> Outcome:
        making = Making(context, f"objects of {self.document.id}", can_exist=self.can_exist)
        context.submissions[self.document.id] = making.submission
        try:
            await making.find_kinds()
            (key,) = scope.submissions[self.document.id].keys
            namespaces = pod_namespaces(making.places())
            if key in context.observed.judges:
                await context.lives.follow(context.stores, namespaces, key, making.submission)
            for namespace in namespaces if key in context.observed.followed else ():
                # From before there are any pods, so that a check need not wait for the list of all.
                await context.stores.follow(PODS, namespace)
            if context.recorded is not None:
                for reason in await context.recorded.cluster.follow(context.stores, namespaces):
                    context.step.note(f"pods are not recorded: {reason}", warning=True)
            making.pods_in(namespaces)
            return await making.create_all()
        except BaseException as error:
            making.refuse_the_rest(error)
            raise


def _compiled(patterns: Sequence[str]) -> Iterator[re.Pattern[str]]:
    known = {text: compile_pattern(text) for text in dict.fromkeys(patterns)}
    return (known[text] for text in patterns)


class _GeneratedNames:
    """Names as the server makes them of generateName, but known before they are sent, so that they can be undone
    whatever happens; and no name twice."""

    def __init__(self) -> None:
        self._taken: set[str] = set()

    def of(self, base: str) -> str:
        """A new name; a base that would become too long is cut as the server cuts it."""
        while True:
            end = "".join(secrets.choice(_LETTERS) for _ in range(_RANDOM_LENGTH))
            name = f"{base[: _LONGEST_NAME - _RANDOM_LENGTH]}{end}"
            if name not in self._taken:
                self._taken.add(name)
                return name


def _item(manifest: Manifest, document: int, generated: _GeneratedNames) -> Item:
    metadata = manifest["metadata"]
    if not metadata.get("name"):
        # Objects of a file that is taken as it is are all the same one, so this must not change it.
        metadata = {**metadata, "name": generated.of(metadata["generateName"])}
        manifest = {**manifest, "metadata": metadata}
    namespace = metadata.get("namespace")
    return Item(
        api_version=manifest["apiVersion"],
        kind=manifest["kind"],
        namespace=str(namespace) if namespace else None,
        name=str(metadata["name"]),
        body=orjson.dumps(manifest),
        document=document,
    )


def _check_names(instances: tuple[tuple[Item, ...], ...], template: ObjectTemplate, document: TaskDocument) -> None:
    seen: set[tuple[str, str, str, str]] = set()
    for blocks in instances:
        for item in blocks:
            # Without a namespace it goes to `default`, where another may name it.
            key = (item.api_version, item.kind, item.namespace or DEFAULT_NAMESPACE, item.name)
            if key in seen:
                raise RenderError(
                    f"{document.where()}: {template.file} gives two objects {item.kind} {item.name}",
                    hint="metadata.name should hold {{._NAME_}}",
                )
            seen.add(key)
