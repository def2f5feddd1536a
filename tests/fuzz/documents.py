"""Workflow and values documents that are nearly valid: of every task type, with loops, blocks and variables."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hypothesis import strategies as st

from fuzz.odd import TEXTS, VALUES, mostly, mostly_key

if TYPE_CHECKING:
    from pathlib import Path

    from hypothesis.strategies import DrawFn, SearchStrategy

TEMPLATES = {
    "job.yml": (
        "apiVersion: batch/v1\nkind: Job\nmetadata:\n  name: {{._NAME_}}\n  namespace: {{.namespace}}\n"
        "spec:\n  parallelism: {{.parallelism}}\n"
    ),
    "two.yml": (
        'apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: "{{._NAME_}}"\ndata:\n  a: "{{._ENUM_}}"\n---\n'
        'apiVersion: v1\nkind: Secret\nmetadata:\n  name: "{{._NAME_}}"\n  namespace: {{.namespace}}\n'
    ),
    "generated.yml": "apiVersion: v1\nkind: ServiceAccount\nmetadata:\n  generateName: robot-\n",
    "class.yml": (
        "apiVersion: scheduling.k8s.io/v1\nkind: PriorityClass\nmetadata:\n  name: {{._NAME_}}\n  labels: {{.labels}}\n"
        "value: {{.parallelism}}\n"
    ),
    "unserved.yml": "apiVersion: example.com/v1\nkind: Gadget\nmetadata:\n  name: {{._NAME_}}\n",
    "broken.yml": "apiVersion: batch/v1\nkind: [\n",
    "empty.yml": "---\n",
    "nameless.yml": "apiVersion: v1\nkind: Pod\nmetadata: {}\n",
    "odd.yml": "{{.parallelism}}",
}
TYPES = {
    "Configure": 4,
    "RegisterObj": 2,
    "SubmitObj": 6,
    "UpdateObj": 1,
    "CheckObj": 2,
    "CheckPod": 2,
    "CheckConfigmap": 1,
    "DeleteObj": 2,
    "UpdateNodes": 1,
    "Sleep": 1,
    "CheckPlacement": 2,
    "CheckMetric": 1,
    "CheckMeasure": 1,
    "Parallel": 2,
    "Repeat": 2,
}
_NAMES = st.sampled_from(["a", "b", "team-a", "x.y"])
_SPACES = st.sampled_from(["default", "team-a", "${space}"])
_OPS = st.sampled_from(["create", "create", "delete"])
_TIMES = st.sampled_from(["1s", "1ms", "1m30s", "0.5s", "2h", "0s", "${time}"])
_COUNTS = st.sampled_from([1, 2, 3, "${size}", 0])
_REFERENCES = st.sampled_from(["job", "job", "job", "job2", "register", "none"])
_IDS = st.sampled_from(["a", "b", "c", "d", "e", "f", "g", "job2", "register2", 7, True])
_LABELS = st.dictionaries(
    mostly_key(st.sampled_from(["a", "rack", "nvidia.com/gpu.count"])),
    mostly(st.sampled_from(["x", "8", 8, True, 1.5, "${size}"])),
    max_size=2,
)
_STATES = st.dictionaries(
    st.sampled_from(["metadata", "spec", "status"]),
    st.dictionaries(st.sampled_from(["parallelism", "active", "labels", "name"]), VALUES, min_size=1, max_size=2),
    min_size=1,
    max_size=2,
)
NODE = st.fixed_dictionaries(
    {"type": mostly(st.sampled_from(["dgxa100.80g", "own"])), "count": mostly(_COUNTS)},
    optional={
        "namePrefix": mostly(st.sampled_from(["n", "virtual-own", None])),
        "labels": mostly(_LABELS),
        "annotations": mostly(_LABELS),
        "resources": mostly(
            st.dictionaries(
                mostly_key(st.sampled_from(["cpu", "memory", "pods", "nvidia.com/gpu"])),
                mostly(st.sampled_from([1, 0.5, "500m", "1Ti", "8Gb", "1e3"])),
                min_size=1,
                max_size=3,
            )
        ),
        "conditions": mostly(
            st.lists(
                st.fixed_dictionaries(
                    {
                        "type": mostly(st.sampled_from(["Ready", "Deadlock"])),
                        "status": mostly(st.sampled_from(["True", False])),
                    },
                    optional={"reason": mostly(st.just("Fine")), "message": VALUES},
                ),
                max_size=2,
            )
        ),
        "taints": mostly(
            st.lists(
                st.fixed_dictionaries(
                    {"key": mostly(st.just("gpu")), "effect": mostly(st.sampled_from(["NoSchedule", "NoExecute"]))},
                    optional={"value": mostly(st.sampled_from(["yes", True, 1]))},
                ),
                max_size=2,
            )
        ),
    },
)


def _items(required: dict[str, Any], **optional: Any) -> SearchStrategy[Any]:
    return mostly(
        st.lists(
            st.fixed_dictionaries(
                {name: mostly(value) for name, value in required.items()},
                optional={name: mostly(value) for name, value in optional.items()},
            ),
            max_size=2,
        )
    )


def _params(required: dict[str, Any], **optional: Any) -> SearchStrategy[Any]:
    return st.fixed_dictionaries(
        {name: mostly(value) for name, value in required.items()},
        optional={name: mostly(value) for name, value in optional.items()},
    )


_FORMATS = {
    "nameFormat": st.sampled_from(["job{{._ENUM_}}", "x-{{._ENUM_}}-{{.namespace}}", "same", ""]),
    "podNameFormat": st.sampled_from(["{{._NAME_}}-.*", "{{.pattern}}", "[0-9", r"\d+"]),
    "podCount": st.sampled_from(["{{.parallelism}}", 1, "2 * {{.parallelism}} + 1", "1/0", "-1"]),
}
_GIVEN = st.fixed_dictionaries(
    {"namespace": mostly(_SPACES), "parallelism": mostly(_COUNTS)}, optional={"pattern": TEXTS, "labels": VALUES}
)
_KIND = {
    "apiVersion": st.sampled_from(["v1", "v1", "batch/v1", "example.com/v1"]),
    "kind": st.sampled_from(["ConfigMap", "Job", "Node", "Namespace", "Gadget"]),
}
_CHOSEN = {"name": _NAMES, "namespace": _SPACES, "labels": _LABELS, "ownedBy": _REFERENCES}
_AMOUNTS = (
    _COUNTS
    | st.sampled_from(["2 * ${size}", "{{.parallelism}}", "1 / 0"])
    | st.fixed_dictionaries({}, optional={"min": mostly(_COUNTS), "max": mostly(_COUNTS)})
)
_PARAMS: dict[str, SearchStrategy[Any]] = {
    "Configure": _params(
        {"timeout": _TIMES},
        nodes=st.lists(NODE, max_size=2),
        namespaces=_items({"name": _NAMES, "op": _OPS}),
        configmaps=_items(
            {"name": _NAMES, "namespace": _SPACES, "op": _OPS}, data=st.dictionaries(TEXTS, VALUES, max_size=2)
        ),
        priorityClasses=_items({"name": _NAMES, "op": _OPS, "value": st.integers(-5, 5)}),
        deploymentRestarts=_items({"namespace": _SPACES, "name": _NAMES}),
    ),
    "RegisterObj": _params({"template": st.sampled_from([*TEMPLATES, "none.yml", "${file}"])}, **_FORMATS),
    "SubmitObj": _params(
        {"refTaskId": st.sampled_from(["register", "register", "register2"]), "params": _GIVEN},
        count=_COUNTS,
        canExist=st.booleans(),
    ),
    "UpdateObj": _params({"refTaskId": _REFERENCES, "state": _STATES}, index=st.integers(0, 2))
    | _params({**_KIND, "state": _STATES}, allowOthers=st.booleans(), **_CHOSEN),
    "CheckObj": _params({"refTaskId": _REFERENCES, "state": _STATES}, index=st.integers(0, 2), timeout=_TIMES)
    | _params(_KIND, state=_STATES, count=_AMOUNTS, timeout=_TIMES, **_CHOSEN),
    "CheckPod": _params(
        {"refTaskId": _REFERENCES, "status": st.sampled_from(["Running", "Failed"])}, nodeLabels=_LABELS, timeout=_TIMES
    ),
    "CheckConfigmap": _params(
        {"name": _NAMES, "namespace": _SPACES, "op": st.sampled_from(["equal", "subset"])}, data=_LABELS
    ),
    "DeleteObj": _params({"refTaskId": _REFERENCES}, wait=st.booleans(), timeout=_TIMES)
    | _params(_KIND, wait=st.booleans(), allowOthers=st.booleans(), **_CHOSEN),
    "UpdateNodes": _params(
        {"selectors": st.lists(_LABELS, min_size=1, max_size=2), "state": _STATES}, allowRealNodes=st.booleans()
    ),
    "Sleep": _params({"timeout": _TIMES}),
    "CheckPlacement": _params(
        {"refTaskId": _REFERENCES},
        allOrNothing=st.booleans(),
        within=_TIMES,
        topologyKey=st.sampled_from(["rack", "${word}"]),
        nodes=st.lists(_NAMES, min_size=1, max_size=2),
        waiting=_TIMES,
        timeout=_TIMES,
    ),
    "CheckMetric": _params(
        {"query": st.just("up"), "op": st.sampled_from(["==", ">="]), "value": st.integers(0, 3)},
        **{"for": _TIMES, "timeout": _TIMES},
    ),
    "CheckMeasure": _params(
        {
            "measure": st.sampled_from(["gang.wait.p95", "pods.count", "gpu.occupancy.mean"]),
            "op": st.sampled_from(["<=", ">="]),
            "value": st.sampled_from([0, 1, "20s", "80%", "${size}"]),
        },
        samples=st.integers(1, 3),
        allowSaturated=st.booleans(),
    ),
}


@st.composite
def _task(draw: DrawFn, depth: int) -> Any:
    types = [name for name, weight in TYPES.items() for _ in range(weight)]
    type_ = draw(st.sampled_from(types))
    task: dict[str, Any] = {"id": draw(mostly(_IDS)), "type": draw(mostly(st.just(type_)))}
    if type_ in ("Parallel", "Repeat"):
        inner = draw(st.lists(_task(depth - 1), min_size=1, max_size=3)) if depth else []
        task["params"] = {"tasks": draw(mostly(st.just(inner)))}
        if type_ == "Repeat":
            task["params"]["count"] = draw(mostly(_COUNTS))
    else:
        task["params"] = draw(mostly(_PARAMS[type_]))
    extra = draw(st.integers(0, 12))
    if extra == 12:
        task["foreach"] = draw(mostly(st.sampled_from([{"size": [1, 2]}, {"word": "${all}"}, {"x": ["a", None]}])))
    elif extra == 11:
        task["timeout"] = draw(mostly(_TIMES))
    elif extra == 10:
        task["continueOnError"] = draw(mostly(st.booleans()))
    return task


@st.composite
def workflows(draw: DrawFn) -> Any:
    """A whole document; it begins with what others refer to, so that many of them plan."""
    first = [
        {
            "id": "register",
            "type": "RegisterObj",
            "params": {
                "template": draw(st.sampled_from(["job.yml", "two.yml", "generated.yml", "class.yml"])),
                "nameFormat": "job{{._ENUM_}}",
                "podNameFormat": "{{._NAME_}}-.*",
                "podCount": "{{.parallelism}}",
            },
        },
        {"id": "job", "type": "SubmitObj", "params": {"refTaskId": "register", "params": draw(_GIVEN)}},
    ]
    document: dict[str, Any] = {"name": draw(mostly(st.just("fuzz")))}
    if draw(st.integers(0, 9)):
        document["variables"] = {
            "size": draw(mostly(st.integers(1, 3))),
            "time": draw(mostly(st.just("1s"))),
            "space": "default",
            "word": "x",
            "file": "job.yml",
            "all": draw(mostly(st.just([1, 2]))),
            **({"empty": None} if not draw(st.integers(0, 20)) else {}),
        }
    document["tasks"] = first[: draw(st.sampled_from([2, 2, 2, 1, 0]))] + draw(st.lists(_task(2), max_size=4))
    return document


_SETTINGS = st.fixed_dictionaries(
    {"timeout": st.just("10s")},
    optional={
        "nodes": st.lists(
            st.fixed_dictionaries(
                {"type": st.sampled_from(["dgxa100.80g", "dgxh100.80g"]), "count": st.integers(0, 2)}
            ),
            max_size=2,
        ),
        "namespaces": st.lists(
            # A namespace of somebody else is not brought back with all that was in it, so none is deleted here.
            st.sampled_from(
                [{"name": "a", "op": "create"}, {"name": "a", "op": "delete"}, {"name": "old", "op": "create"}]
            ),
            min_size=1,
            max_size=2,
        ),
        "configmaps": st.lists(
            st.fixed_dictionaries(
                {"name": st.sampled_from(["a", "old"]), "namespace": st.just("default"), "op": _OPS},
                optional={"data": st.sampled_from([{"a": 1}, {"b": None}, None])},
            ),
            min_size=1,
            max_size=3,
        ),
        "priorityClasses": st.lists(
            st.fixed_dictionaries({"name": st.sampled_from(["a", "old"]), "op": _OPS, "value": st.integers(7, 8)}),
            min_size=1,
            max_size=3,
        ),
    },
)
_STEPS = st.one_of(
    _SETTINGS.map(lambda params: {"type": "Configure", "params": params}),
    st.builds(
        lambda template, count, exists, loop: {
            "type": "SubmitObj",
            "params": {
                "refTaskId": template,
                "count": count,
                "canExist": exists,
                "params": {"namespace": "${space}" if "space" in loop else "default", "parallelism": 1, "labels": "{}"},
            },
            **({"foreach": loop} if loop else {}),
        },
        st.sampled_from(["job.yml", "two.yml", "generated.yml", "class.yml"]),
        st.integers(1, 3),
        st.booleans(),
        st.sampled_from([{}, {"x": [1, 2]}, {"space": ["default", "team-a"]}]),
    ),
    st.builds(
        lambda reference, step: {"type": step["type"], "params": {"refTaskId": reference, **step["params"]}},
        st.sampled_from(["first", "many"]),
        st.sampled_from(
            [
                {"type": "DeleteObj", "params": {"wait": False}},
                {"type": "DeleteObj", "params": {"wait": True}},
                {"type": "CheckObj", "params": {"state": {"x": 1}, "timeout": "5s"}},
                {"type": "CheckObj", "params": {"state": {"x": None}}},
                {"type": "CheckPod", "params": {"status": "Running", "timeout": "5s"}},
                {"type": "CheckPod", "params": {"status": "Running", "nodeLabels": {"rack": "x"}}},
                {"type": "CheckPlacement", "params": {"allOrNothing": True, "timeout": "5s"}},
                {"type": "CheckPlacement", "params": {"topologyKey": "type"}},
                {"type": "CheckPlacement", "params": {"waiting": "3s"}},
                {"type": "UpdateObj", "params": {"state": {"metadata": {"labels": {"a": "b"}}}}},
                {"type": "UpdateObj", "params": {"state": {"status": {"active": 1}}}},
            ]
        ),
    ),
    st.builds(
        lambda type_, chosen, params: {"type": type_, "params": {**chosen, **params[type_]}},
        st.sampled_from(["CheckObj", "UpdateObj", "DeleteObj"]),
        st.sampled_from(
            [
                {"apiVersion": "v1", "kind": "ConfigMap", "name": "old"},
                {"apiVersion": "batch/v1", "kind": "Job", "labels": {"a": "b"}},
                {"apiVersion": "v1", "kind": "Pod", "ownedBy": "first"},
            ]
        ),
        st.just(
            {
                "CheckObj": {"count": 1, "timeout": "5s"},
                "UpdateObj": {"state": {"data": {"x": "z"}}, "allowOthers": True},
                "DeleteObj": {"allowOthers": True},
            }
        ),
    ),
    st.just({"type": "Sleep", "params": {"timeout": "1h"}}),
)
_BLOCKS = st.recursive(
    _STEPS,
    lambda inner: st.builds(
        lambda type_, tasks, count: {
            "type": type_,
            "params": {"tasks": tasks, **({"count": count} if type_ == "Repeat" else {})},
        },
        st.sampled_from(["Parallel", "Repeat"]),
        st.lists(inner, min_size=1, max_size=3),
        st.integers(1, 2),
    ),
    max_leaves=5,
)


@st.composite
def sound(draw: DrawFn) -> Any:
    """A workflow without faults that changes much; its tasks may still fail, on what is there or on each other."""
    registered = [
        {
            "id": name,
            "type": "RegisterObj",
            "params": {
                "template": name,
                **({} if name == "generated.yml" else {"nameFormat": "x{{._ENUM_}}"}),
                "podNameFormat": "x",
                "podCount": 1,
            },
        }
        for name in ("job.yml", "two.yml", "generated.yml", "class.yml")
    ]
    params = {"refTaskId": "job.yml", "params": {"namespace": "default", "parallelism": 1}}
    spaces = st.lists(st.sampled_from(["default", "team-a", "team-b"]), min_size=1, max_size=3, unique=True)
    kinds = st.lists(st.sampled_from(["job.yml", "two.yml", "class.yml"]), min_size=1, max_size=3, unique=True)
    given = {"namespace": "${space}", "parallelism": 1, "labels": "{}"}
    many = {
        "id": "many",
        "type": "SubmitObj",
        "params": {"refTaskId": "${file}", "params": given, "count": draw(st.integers(1, 2))},
        "foreach": {"file": draw(kinds)},
        "continueOnError": True,
    }
    rounds = {"id": "rounds", "type": "Repeat", "params": {"tasks": [many]}, "foreach": {"space": draw(spaces)}}
    tasks = draw(st.lists(_BLOCKS, min_size=1, max_size=5))
    numbers = iter(range(1000))

    def numbered(task: dict[str, Any], apart: bool) -> dict[str, Any]:
        id_ = f"t{next(numbers)}"
        params = dict(task["params"])
        if apart and task["type"] == "Configure":
            # What branches at the same time make of the same object is anybody's guess.
            params.pop("nodes", None)
            for kind in ("namespaces", "configmaps", "priorityClasses"):
                params[kind] = [{**item, "name": f"{item['name']}-{id_}"} for item in params.get(kind, ())]
        if apart and params.get("kind") == "ConfigMap":
            params["name"] += f"-{id_}"
        if "tasks" in params:
            inside = apart or task["type"] == "Parallel"
            params["tasks"] = [numbered(each, inside) for each in params["tasks"]]
        return {**task, "id": id_, "params": params, **({"continueOnError": True} if draw(st.booleans()) else {})}

    first = {"id": "first", "type": "SubmitObj", "params": params, "continueOnError": True}
    return {"name": "sound", "tasks": [*registered, first, rounds, *(numbered(task, False) for task in tasks)]}


def values() -> SearchStrategy[Any]:
    """A values file."""
    return st.fixed_dictionaries({"nodes": mostly(st.lists(NODE, max_size=3))}, optional={"global": VALUES})


def write_templates(directory: Path) -> None:
    """The files that the workflows name."""
    for name, text in TEMPLATES.items():
        (directory / name).write_text(text)
