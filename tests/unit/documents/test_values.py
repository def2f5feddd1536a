"""Values files: what is refused, with place and reason, and what becomes of the rest."""

# ruff: noqa: E501 - a message is one line here, as it is for the user

from __future__ import annotations

from pathlib import Path

import pytest

from knavtool import resources
from knavtool.documents.entries import Devices, NodeEntry
from knavtool.documents.values import load_values, node_names
from knavtool.errors import ExitCode, InvalidDocument


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return Path("v.yaml")


def entries(file: Path, text: str) -> tuple[NodeEntry, ...]:
    file.write_text(text)
    return load_values(file).entries


def faults(file: Path, text: str) -> list[str]:
    with pytest.raises(InvalidDocument) as caught:
        entries(file, text)
    assert caught.value.exit_code == ExitCode.BAD_INPUT
    return [str(violation) for violation in caught.value.violations]


def test_the_example() -> None:
    values = load_values(resources.chart("virtual-nodes") / "values-example.yaml")
    assert [(entry.type, entry.count) for entry in values.entries] == [
        ("dgxa100.80g", 2),
        ("dgxh100.80g", 2),
        ("cpu.x86", 2),
    ]
    a100, h100, cpu = values.entries
    assert a100.labels == {"nvidia.com/gpu.count": "8", "nvidia.com/gpu.product": "NVIDIA-A100-SXM4-80GB"}
    assert [condition["type"] for condition in h100.conditions] == ["ReadonlyFilesystem", "KernelDeadlock"]
    assert {condition["status"] for condition in h100.conditions} == {"False"}
    assert cpu.resources["cpu"] == "48"
    assert cpu.resources["memory"] == "196692052Ki"


LABEL = "expected at most 63 letters, digits, '-', '_' and '.', beginning and ending with a letter or digit"
KEY = "expected [prefix/]name of letters, digits, '-', '_' and '.', at most 63 characters after the slash"
QUANTITY = "expected a quantity: a number with an optional suffix, like 8, 500m, 8Gi, 2T"
LONG = "x" * 64


@pytest.mark.parametrize(
    ("line", "fault"),
    [
        # Fields
        ("lables: {a: b}", "4:3: nodes[0].lables: unknown field 'lables'; did you mean 'labels'?"),
        (
            "frobnicate: 1",
            "4:3: nodes[0].frobnicate: unknown field 'frobnicate'; known: type, count, namePrefix, annotations, labels, resources, conditions, taints",
        ),
        # Labels and annotations
        ("labels: {a: 'bad value!'}", f"4:12: nodes[0].labels.a: 'bad value!' is not valid; {LABEL}"),
        ("labels: {a: -5}", f"4:12: nodes[0].labels.a: '-5' is not valid; {LABEL}"),
        ("labels: {a: '-b'}", f"4:12: nodes[0].labels.a: '-b' is not valid; {LABEL}"),
        ('labels: {a: "b\\n"}', f"4:12: nodes[0].labels.a: 'b\\n' is not valid; {LABEL}"),
        (f"labels: {{a: {LONG}}}", f"4:12: nodes[0].labels.a: '{LONG[:60]}…' is not valid; {LABEL}"),
        ("labels: {'bad key': b}", f"4:12: nodes[0].labels[\"bad key\"]: 'bad key' is not valid; {KEY}"),
        ("labels: {a/b/c: d}", f"4:12: nodes[0].labels[\"a/b/c\"]: 'a/b/c' is not valid; {KEY}"),
        ("labels: {Up.er/b: d}", f"4:12: nodes[0].labels[\"Up.er/b\"]: 'Up.er/b' is not valid; {KEY}"),
        ("labels: {a: [b]}", "4:12: nodes[0].labels.a: expected text or a number, got a list"),
        ("labels: {a: }", '4:12: nodes[0].labels.a: expected text or a number, got nothing; write "" for empty text'),
        ("labels: [a]", "4:3: nodes[0].labels: expected a map, got a list"),
        ("annotations: {'bad key': b}", f"4:17: nodes[0].annotations[\"bad key\"]: 'bad key' is not valid; {KEY}"),
        ("annotations: {a: {b: c}}", "4:17: nodes[0].annotations.a: expected text or a number, got a map"),
        (f"annotations: {{a: {'x' * 300_000}}}", "4:3: nodes[0].annotations: together larger than 240 KiB"),
        (
            f"labels: {{{'p' * 254}/a: b}}",
            f'4:12: nodes[0].labels["{"p" * 254}/a"]: before the slash at most 253 characters are allowed',
        ),
        (
            "labels: {kubernetes.io/hostname: x}",
            '4:12: nodes[0].labels["kubernetes.io/hostname"]: the label kubernetes.io/hostname is always the node\'s name; leave it out',
        ),
        (
            "labels: {type: gpu}",
            "4:12: nodes[0].labels.type: the label type is always 'kwok', which tells virtual nodes from real ones; leave it out",
        ),
        (
            "annotations: {kwok.x-k8s.io/node: real}",
            "4:17: nodes[0].annotations[\"kwok.x-k8s.io/node\"]: the annotation kwok.x-k8s.io/node is always 'fake', which makes KWOK keep the node alive; leave it out",
        ),
        # Resources
        (
            "resources: {memory: 8Gb}",
            f"4:15: nodes[0].resources.memory: '8Gb' is not valid; {QUANTITY}; did you mean 8G or 8Gi?",
        ),
        ("resources: {cpu: -1}", f"4:15: nodes[0].resources.cpu: '-1' is not valid; {QUANTITY}"),
        ("resources: {cpu: many}", f"4:15: nodes[0].resources.cpu: 'many' is not valid; {QUANTITY}"),
        ("resources: {cpu: 1e5000}", "4:20: nodes[0].resources.cpu: '1e5000' is no number that can be used here"),
        ("resources: {pods: '1e1000'}", f"4:15: nodes[0].resources.pods: '1e1000' is not valid; {QUANTITY}"),
        (
            f"resources: {{pods: '{'9' * 5000}'}}",
            f"4:15: nodes[0].resources.pods: '{'9' * 60}…' is not valid; {QUANTITY}",
        ),
        ("resources: {cpu: true}", f"4:15: nodes[0].resources.cpu: 'true' is not valid; {QUANTITY}"),
        (
            "resources: {nvidia.com/gpu: 0.5}",
            "4:15: nodes[0].resources[\"nvidia.com/gpu\"]: '0.5' is not a whole number; nvidia.com/gpu is counted, not divided",
        ),
        (
            "resources: {pods: 1500m}",
            "4:15: nodes[0].resources.pods: '1500m' is not a whole number; pods is counted, not divided",
        ),
        # Devices
        (
            "resources: {dra: {driver: gpu, count: 1}}",
            "4:21: nodes[0].resources.dra.driver: 'gpu' is not valid; expected a DNS name whose first part says what the devices are, like gpu.nvidia.com",
        ),
        (
            "resources: {dra: {driver: a.b, count: 0}}",
            "4:34: nodes[0].resources.dra.count: 0 is out of range; expected at least 1",
        ),
        ("resources: {dra: {driver: a.b}}", "4:15: nodes[0].resources.dra: the field 'count' is missing"),
        ("resources: {dra: 8}", "4:15: nodes[0].resources.dra: expected a map with driver and count, got 8"),
        (
            "resources: {dra: {driver: a.b, count: 1, atributes: {}}}",
            "4:44: nodes[0].resources.dra.atributes: unknown field 'atributes'; did you mean 'attributes'?",
        ),
        (
            "resources: {dra: {driver: a.b, count: 1, attributes: {version: 1.2}}}",
            "4:57: nodes[0].resources.dra.attributes.version: expected text of at most 64 characters, a whole number, or true or false, got 1.2",
        ),
        (
            "resources: {dra: {driver: a.b, count: 1, attributes: {a-b: 1}}}",
            "4:57: nodes[0].resources.dra.attributes.a-b: 'a-b' is not valid; expected [domain/]name of letters, digits and '_', not beginning with a digit, at most 32 characters after the slash",
        ),
        (
            f"resources: {{dra: {{driver: a.b, count: 1, attributes: {{a: {'ü' * 33}}}}}}}",
            "4:57: nodes[0].resources.dra.attributes.a: the text is longer than 64 bytes",
        ),
        (
            f"resources: {{dra: {{driver: a.b, count: 1, capacity: {{{'d' * 63}.e/a: 1}}}}}}",
            f'4:55: nodes[0].resources.dra.capacity["{"d" * 63}.e/a"]: before the slash at most 63 characters are allowed',
        ),
        (
            "resources: {dra: {driver: a.b, count: 1, capacity: {memory: 8Gb}}}",
            f"4:55: nodes[0].resources.dra.capacity.memory: '8Gb' is not valid; {QUANTITY}; did you mean 8G or 8Gi?",
        ),
        (
            f"resources: {{dra: {{driver: a.b, count: 1, attributes: {{{', '.join(f'a{n}: 1' for n in range(33))}}}}}}}",
            "4:15: nodes[0].resources.dra: a device has at most 32 attributes and capacities together",
        ),
        (
            "resources: {dra: {driver: gpu.kubernetes.io, count: 1}}",
            "4:15: nodes[0].resources.dra.extendedResourceName: 'kubernetes.io/gpu' is a name that Kubernetes keeps for itself; give another, like nvidia.com/gpu",
        ),
        (
            "resources: {nvidia.com/gpu: 8, dra: {driver: gpu.nvidia.com, count: 8}}",
            '4:15: nodes[0].resources["nvidia.com/gpu"]: the devices of gpu.nvidia.com serve nvidia.com/gpu already; pods that ask for it would use up what is given here and never the devices; leave this out, or give the devices another extendedResourceName',
        ),
        # Taints
        (
            "taints: [{key: a, effect: NoSchedul}]",
            "4:21: nodes[0].taints[0].effect: 'NoSchedul' is not one of NoSchedule, PreferNoSchedule, NoExecute; did you mean 'NoSchedule'?",
        ),
        ("taints: [{key: a}]", "4:12: nodes[0].taints[0]: the field 'effect' is missing"),
        ("taints: [{key: a b, effect: NoExecute}]", f"4:13: nodes[0].taints[0].key: 'a b' is not valid; {KEY}"),
        ("taints: [a]", "4:12: nodes[0].taints[0]: expected a map with key and effect, got text 'a'"),
        (
            "taints: [{key: a, effect: NoExecute}, {key: a, effect: NoExecute}]",
            "4:41: nodes[0].taints[1]: a:NoExecute is given twice",
        ),
        # Conditions
        (
            "conditions: [{type: A, status: maybe}]",
            "4:26: nodes[0].conditions[0].status: 'maybe' is not one of True, False, Unknown",
        ),
        ("conditions: [{type: A}]", "4:16: nodes[0].conditions[0]: the field 'status' is missing"),
        (
            "conditions: [{type: A, status: 'True'}, {type: A, status: 'False'}]",
            "4:43: nodes[0].conditions[1]: A is given twice",
        ),
        # Names
        (
            "namePrefix: Upper",
            "4:3: nodes[0].namePrefix: 'Upper' is not valid; expected lower-case letters, digits, '-' and '.', at most 61",
        ),
        (
            f"namePrefix: {'n' * 61}",
            f"4:3: nodes[0].namePrefix: the node name '{'n' * 61}-19' has 64 characters; expected at most 63",
        ),
    ],
)
def test_one_fault_in_an_entry(file: Path, line: str, fault: str) -> None:
    assert faults(file, f"nodes:\n- type: dgxh100.80g\n  count: 20\n  {line}\n") == [f"v.yaml:{fault}"]


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("nodes:\n- count: 2\n", "2:3: nodes[0]: the field 'type' is missing"),
        ("nodes:\n- type: gb200\n", "2:3: nodes[0]: the field 'count' is missing"),
        ("nodes:\n- type: gb200\n  count:\n", "3:3: nodes[0].count: the field 'count' has no value"),
        ("nodes:\n- type: gb200\n  cuont: 1\n", "3:3: nodes[0].cuont: unknown field 'cuont'; did you mean 'count'?"),
        ("nodes: [{type: gb200, count: -1}]", "1:23: nodes[0].count: -1 is out of range; expected at least 0"),
        (
            "nodes: [{type: gb200, count: 100001}]",
            "1:23: nodes[0].count: 100001 is out of range; expected at most 100000",
        ),
        (
            "nodes: [{type: gb200, count: '2'}]",
            "1:23: nodes[0].count: expected a whole number, got text '2'; write 2 without quotes",
        ),
        ("nodes: [{type: gb200, count: two}]", "1:23: nodes[0].count: expected a whole number, got text 'two'"),
        ("nodes: [{type: gb200, count: 1.5}]", "1:23: nodes[0].count: expected a whole number, got 1.5"),
        ("nodes: [{type: gb200, count: true}]", "1:23: nodes[0].count: expected a whole number, got true"),
        (
            "nodes:\n- {type: gb200, count: 60000}\n- {type: gb200, count: 60000}\n",
            "3:17: nodes[1].count: these are 120000 nodes up to here; expected at most 100000",
        ),
        (
            "nodes: [{type: DGX, count: 1}]",
            "1:10: nodes[0].type: 'DGX' is not valid; expected lower-case letters, digits, '-' and '.', at most 63, such as dgxh100.80g",
        ),
        (
            "nodes: [{type: dgxh100.81g, count: 1}]",
            "1:10: nodes[0].type: 'dgxh100.81g' is no preset, so it needs resources (cpu, memory, pods, ...); did you mean 'dgxh100.80g'?; presets: dgxa100.40g, dgxa100.80g, dgxh100.80g, dgxh200, dgxb200, gb200",
        ),
        (
            "nodes:\n- {type: gb200, count: 1, namePrefix: n}\n- {type: dgxb200, count: 1, namePrefix: n}\n",
            "3:29: nodes[1].namePrefix: nodes of type 'dgxb200' would be called n-0, n-1, ... as those of entry 0 (type 'gb200') are; give one of them another namePrefix",
        ),
        (
            "nodes:\n- {type: gb200, count: 1, namePrefix: virtual-dgxb200}\n- {type: dgxb200, count: 1}\n",
            "3:4: nodes[1].type: nodes of type 'dgxb200' would be called virtual-dgxb200-0, virtual-dgxb200-1, ... as those of entry 0 (type 'gb200') are; give one of them another namePrefix",
        ),
        ("nodes: [dgxh200]", "1:9: nodes[0]: expected a map with type and count, got text 'dgxh200'"),
        ("nodes:\n-\n", "2:2: nodes[0]: expected a map with type and count, got nothing"),
        ("nodes: {type: gb200, count: 1}", "1:1: nodes: expected a list of groups of nodes, or {} for none"),
        ("nodes: 3", "1:1: nodes: expected a list or a map, got 3"),
        ("nodes:\n", "1:1: nodes: the field 'nodes' has no value"),
        ("{}", "1:1: the field 'nodes' is missing"),
        ("- type: gb200\n", "1:1: expected a map, got a list"),
        ("nodes: []\nnode: []\n", "2:1: node: unknown field 'node'; did you mean 'nodes'?"),
    ],
)
def test_one_fault_in_a_file(file: Path, text: str, fault: str) -> None:
    assert faults(file, text) == [f"v.yaml:{fault}"]


def test_all_faults_are_reported_at_once_and_in_order(file: Path) -> None:
    text = """\
nodes:
- type: dgxh100.80g
  count: -1
  labels: {type: other}
- type: nothing-known
  count: 1
- type: gb200
  count: 1
  lables: {}
  labels: {type: other}
"""
    assert [fault.split(": ")[0] for fault in faults(file, text)] == ["v.yaml:3:3", "v.yaml:5:3", "v.yaml:9:3"]


def test_scalars_become_the_text_kubernetes_wants(file: Path) -> None:
    text = """\
nodes:
- type: 8gpu
  count: 3.0
  labels: {a: 8, b: true, c: 1.5, d: yes, e: "", f: 2024-01-31}
  annotations: {UPPER.io/a: 0}
  resources: {cpu: 48, memory: 1.5Ti, pods: 110.0}
  taints: [{key: k, value: 1, effect: NoSchedule}]
  conditions: [{type: C, status: false, reason: R, message: 7}]
"""
    (entry,) = entries(file, text)
    assert type(entry.count) is int
    assert entry.labels == {"a": "8", "b": "true", "c": "1.5", "d": "yes", "e": "", "f": "2024-01-31"}
    assert entry.annotations == {"UPPER.io/a": "0"}
    assert entry.resources == {"cpu": "48", "memory": "1.5Ti", "pods": "110"}
    assert entry.taints == ({"key": "k", "value": "1", "effect": "NoSchedule"},)
    assert entry.conditions == ({"type": "C", "status": "False", "reason": "R", "message": "7"},)


def test_null_is_unset(file: Path) -> None:
    text = "nodes: [{type: gb200, count: 1, labels: , annotations: ~, namePrefix: , taints: }]"
    assert entries(file, text) == (NodeEntry(type="gb200", count=1),)


def test_what_is_fixed_may_be_said(file: Path) -> None:
    text = "nodes: [{type: gb200, count: 1, labels: {type: kwok}, annotations: {kwok.x-k8s.io/node: fake}}]"
    assert entries(file, text)[0].labels == {"type": "kwok"}


@pytest.mark.parametrize("text", ["nodes: []", "nodes: {}", "nodes: []\nglobal: {a: 1}\n"])
def test_no_nodes(file: Path, text: str) -> None:
    assert entries(file, text) == ()


def test_an_entry_as_chart_values(file: Path) -> None:
    given = {
        "type": "gb200",
        "count": 2,
        "namePrefix": "rack-1",
        "labels": {"a": "1"},
        "taints": [{"key": "k", "effect": "NoSchedule"}],
    }
    (entry,) = entries(file, f"nodes: [{given}]")
    assert entry.values() == given
    assert NodeEntry(type="gb200", count=0).values() == {"type": "gb200", "count": 0}


def test_names_count_on_over_the_entries_of_one_type() -> None:
    names = node_names(
        [
            NodeEntry(type="a.b", count=2),
            NodeEntry(type="c", count=1),
            NodeEntry(type="a.b", count=1, labels={"x": "y"}),
            NodeEntry(type="a.b", count=2, name_prefix="rack"),
            NodeEntry(type="c", count=0),
        ]
    )
    assert names == [
        ["virtual-a.b-0", "virtual-a.b-1"],
        ["virtual-c-0"],
        ["virtual-a.b-2"],
        ["rack-0", "rack-1"],
        [],
    ]


def test_the_longest_names_count_the_nodes_of_all_entries(file: Path) -> None:
    prefix = "n" * 61
    assert len(entries(file, f"nodes: [{{type: gb200, count: 10, namePrefix: {prefix}}}]")) == 1
    text = f"nodes:\n- {{type: gb200, count: 10, namePrefix: {prefix}}}\n- {{type: gb200, count: 1, namePrefix: {prefix}}}\n"
    assert faults(file, text) == [
        f"v.yaml:3:27: nodes[1].namePrefix: the node name '{prefix}-10' has 64 characters; expected at most 63"
    ]


def test_devices(file: Path) -> None:
    (entry,) = entries(
        file,
        """nodes:
- type: dgxh200
  count: 1
  resources:
    nvidia.com/gpu: 0
    dra: {driver: gpu.nvidia.com, count: 8.0, attributes: {a: on, b: true, c: 3, d: 1.2.3}, capacity: {memory: 141Gi}}
""",
    )
    assert entry.resources == {"nvidia.com/gpu": "0"}
    assert entry.devices == Devices(
        driver="gpu.nvidia.com",
        count=8,
        extended_resource_name="nvidia.com/gpu",
        attributes={"a": "on", "b": True, "c": 3, "d": "1.2.3"},
        capacity={"memory": "141Gi"},
    )
    assert entry.values()["resources"]["dra"]["extendedResourceName"] == "nvidia.com/gpu"


def test_devices_alone_are_no_resources_of_an_unknown_type(file: Path) -> None:
    (fault,) = faults(file, "nodes:\n- {type: x, count: 1, resources: {dra: {driver: gpu.nvidia.com, count: 8}}}\n")
    assert "'x' is no preset, so it needs resources" in fault


@pytest.mark.parametrize(
    ("first", "second", "fault"),
    [
        (
            "driver: gpu.a.com",
            "driver: gpu.a.com, extendedResourceName: b.com/gpu",
            "3:76: nodes[1].resources.dra.extendedResourceName: the devices of gpu.a.com are a.com/gpu in entry 0, so they cannot be b.com/gpu",
        ),
        (
            "driver: gpu.b.com",
            "driver: gpu.a.com, extendedResourceName: b.com/gpu",
            "3:76: nodes[1].resources.dra.extendedResourceName: b.com/gpu stands for the devices of gpu.b.com in entry 0; give those of gpu.a.com another extendedResourceName",
        ),
    ],
)
def test_entries_that_disagree_about_a_resource_name(file: Path, first: str, second: str, fault: str) -> None:
    lines = [f"- {{type: dgxh200, count: 1, resources: {{dra: {{count: 1, {dra}}}}}}}" for dra in (first, second)]
    assert faults(file, "\n".join(["nodes:", *lines])) == [f"v.yaml:{fault}"]
