"""From the text of a record to a component; the record fits `schemas/component.schema.json`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from knavtool.catalogue.recorded import read_link, read_recorded
from knavtool.catalogue.records import (
    Brought,
    Certificates,
    ChartFace,
    Component,
    ControlPlaneFace,
    Credential,
    Kind,
    ListedWebhooks,
    Made,
    ManifestFace,
    Objects,
    ProcessFace,
    ProcessSpec,
    QueueLabel,
    Release,
    Source,
    SourceFile,
    Webhooks,
)
from knavtool.catalogue.versions import at_version, chosen_version, tried
from knavtool.settings.subject import Config, Shortcut
from knavtool.settings.tunables import read_tunables

if TYPE_CHECKING:
    from collections.abc import Mapping


def read(written: Mapping[str, Any], version: str = "") -> Component:
    """A component from a record that fits the schema, at another `version` than the record's if one is given."""
    record = at_version(written, chosen_version(written, version))
    text = _Text(record["version"])
    faces = record["faces"]
    manifest = _manifest(faces["manifest"], text) if "manifest" in faces else None
    objects = manifest.objects if manifest is not None else Objects()
    return Component(
        name=record["name"],
        title=record["title"],
        description=record["description"],
        version=text.version,
        follows=record.get("follows", ""),
        kubernetes=record.get("kubernetes", ""),
        tried=tried(written),
        role=record.get("role", ""),
        needs=tuple(record.get("needs", ())),
        after=tuple(record.get("after", ())),
        brings=tuple(
            Brought(group=one["group"], kinds=tuple(one.get("kinds", ()))) for one in record.get("brings", ())
        ),
        queue_label=QueueLabel(**record["queueLabel"]) if "queueLabel" in record else None,
        recorded=read_recorded(record.get("recorded", [])),
        pod_queue=read_link(record["podQueue"]) if "podQueue" in record else None,
        makes=tuple(
            Made(api_version=one["apiVersion"], kind=one["kind"], namespace=one.get("namespace", ""), name=one["name"])
            for one in record.get("makes", ())
        ),
        credentials=tuple(Credential(**one) for one in record.get("credentials", ())),
        source=_source(record["source"], text) if "source" in record else None,
        programs=record.get("programs", {}),
        settings=read_shortcuts(record.get("settings", {})),
        written=written,
        chart=_chart(faces["chart"], text) if "chart" in faces else None,
        manifest=manifest,
        process=_process(faces["process"], text, objects) if "process" in faces else None,
        control_plane=_control_plane(faces["controlPlane"]) if "controlPlane" in faces else None,
    )


class _Text:
    """Fills in the version."""

    def __init__(self, version: str) -> None:
        self.version = version

    def __call__(self, text: str) -> str:
        return text.replace("{version}", self.version).replace("{number}", self.version.removeprefix("v"))


def _source(source: Mapping[str, Any], text: _Text) -> Source:
    return Source(
        module=source["module"],
        sum=source.get("sum"),
        url=text(source["url"]) if "url" in source else None,
    )


def _objects(objects: Mapping[str, Any], text: _Text) -> Objects:
    release = objects.get("release")
    return Objects(
        release=release
        and Release(
            url=text(release["url"]),
            sha256=release.get("sha256"),
            checksums=text(release["checksums"]) if "checksums" in release else None,
        ),
        kustomization=objects.get("kustomization"),
        files=tuple(SourceFile(path=file["path"], sha256=file.get("sha256")) for file in objects.get("files", ())),
        images={name: text(image) for name, image in objects.get("images", {}).items()},
    )


def _manifest(face: Mapping[str, Any], text: _Text) -> ManifestFace:
    return ManifestFace(
        objects=_objects(face.get("objects", {}), text),
        overrides=tuple(face.get("overrides", ())),
        existing=tuple(face.get("existing", ())),
        after=tuple(face.get("after", ())),
    )


def _chart(face: Mapping[str, Any], text: _Text) -> ChartFace:
    return ChartFace(
        repository=face["repository"],
        name=face["name"],
        version=text(face["version"]),
        digest=face.get("digest"),
        namespace=face["namespace"],
        values=tuple(face.get("values", ())),
        options=face.get("options", {}),
    )


def _control_plane(face: Mapping[str, Any]) -> ControlPlaneFace:
    return ControlPlaneFace(
        feature_gates=face.get("featureGates", {}),
        runtime_config=face.get("runtimeConfig", {}),
        serves=tuple(face.get("serves", ())),
    )


def _process(face: Mapping[str, Any], text: _Text, objects: Objects) -> ProcessFace:
    webhooks, certificates = face.get("webhooks"), face.get("certificates")
    return ProcessFace(
        objects=_objects(face["objects"], text) if "objects" in face else objects,
        overrides=tuple(face.get("overrides", ())),
        config=read_config(face["config"]) if "config" in face else None,
        apis=face.get("apis", ""),
        keep_kinds=tuple(face.get("keepKinds", ())),
        drop_kinds=tuple(face.get("dropKinds", ())),
        webhooks=webhooks
        and Webhooks(
            port=webhooks["port"],
            keep=dict(_kept(one) for one in webhooks["keep"]) if "keep" in webhooks else None,
            listed=_listed(webhooks["listed"]) if "listed" in webhooks else None,
            first=webhooks.get("first", False),
        ),
        certificates=None
        if certificates is None
        else Certificates(
            names=tuple(certificates.get("names", ())),
            authority_names=tuple(certificates.get("authorityNames", ())),
            authority_key=certificates.get("authorityKey", False),
        ),
        processes=tuple(_hosted(one) for one in face["processes"]),
    )


def _listed(listed: Mapping[str, Any]) -> ListedWebhooks:
    return ListedWebhooks(path=listed["path"], names={item: tuple(names) for item, names in listed["names"].items()})


def _kept(webhook: str | Mapping[str, Any]) -> tuple[str, tuple[Mapping[str, str], ...]]:
    """The name of a webhook and the conditions that are added to it."""
    return (webhook, ()) if isinstance(webhook, str) else (webhook["name"], tuple(webhook["matchConditions"]))


def _hosted(process: Mapping[str, Any]) -> ProcessSpec:
    return ProcessSpec(
        name=process["name"],
        program=process["program"],
        ports=tuple(process.get("ports", ())),
        files={file["name"]: file["template"] for file in process.get("files", ())},
        args=tuple(process["args"]),
        environment=process.get("environment", {}),
        stale=tuple(
            Kind(api_version=kind["apiVersion"], kind=kind["kind"], namespace=kind["namespace"])
            for kind in process.get("stale", ())
        ),
        tunables=read_tunables(process["tunables"]) if "tunables" in process else None,
        ready=process["ready"],
        metrics=process.get("metrics", ""),
    )


def read_config(config: Mapping[str, Any]) -> Config:
    """Where a configuration is, from the part `config` of a record."""
    return Config(
        process=config.get("process", ""),
        file=config.get("file", ""),
        object=config.get("object", {}),
        key=config.get("key", ""),
        fixed=tuple(config.get("fixed", ())),
    )


def read_shortcuts(settings: Mapping[str, Any]) -> dict[str, Shortcut]:
    """The short names of the part `settings` of a record."""
    return {
        name: Shortcut(path=one["path"], values=one["values"], default=one.get("default", ""))
        for name, one in settings.items()
    }
