"""What the chart `knavtool` renders to, and what it refuses."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
import yaml

from knavtool import __version__
from knavtool.workflow.tasks import TYPES
from support.charts import CHART, helm, refusal, render
from support.cli import commands
from support.exported import GROUPS

WORKFLOW = "name: a\ntasks:\n- {id: s, type: Sleep, params: {timeout: 1s}}\n"
JOB = {"workflows": {"files": {"a.yml": WORKFLOW}}}
SERVER = {"mode": "server"}
ONE_TASK = {"workflows": {"paths": ["workflows/k8s/test-job.yml"]}}


def pod(values: dict[str, Any]) -> dict[str, Any]:
    """The pod template's spec."""
    found = [item for (kind, _), item in render(values).items() if kind in ("Job", "Deployment")]
    assert len(found) == 1
    spec: dict[str, Any] = found[0]["spec"]["template"]["spec"]
    return spec


def rules(item: dict[str, Any]) -> dict[str, set[str]]:
    """The verbs of a role by resource, as `jobs.batch`, and the names it is limited to; one rule each."""
    found: dict[str, set[str]] = {}
    for rule in item["rules"]:
        (group,), (resource,) = rule["apiGroups"], rule["resources"]
        assert len(set(rule["verbs"])) == len(rule["verbs"])
        name = " ".join([f"{resource}.{group}" if group else resource, *rule.get("resourceNames", ())])
        assert name not in found
        found[name] = set(rule["verbs"])
    return found


def test_a_job_runs_the_workflows_of_the_values_once() -> None:
    values = {
        "workflows": {
            "files": {"b.yml": WORKFLOW, "a.yml": WORKFLOW},
            "templates": {"job.yml": "  kind: {{.kind}}\n"},
            "paths": ["workflows/k8s/test-job.yml"],
            "variables": {"count": 10_000_000, "text": "a,b", "yes": True},
        },
        "extraArgs": ["--log-format=json"],
    }
    objects = render(values)
    assert set(objects) == {
        ("ServiceAccount", "test-knavtool"),
        ("ClusterRole", "tests-test-knavtool"),
        ("ClusterRoleBinding", "tests-test-knavtool"),
        ("ConfigMap", "test-knavtool-workflows"),
        ("Job", "test-knavtool-1"),
    }
    spec = objects["Job", "test-knavtool-1"]["spec"]
    assert spec["backoffLimit"] == 0
    assert spec["template"]["spec"]["restartPolicy"] == "Never"
    container = spec["template"]["spec"]["containers"][0]
    assert container["args"] == [
        "run",
        "/workflows/a.yml",
        "/workflows/b.yml",
        "workflows/k8s/test-job.yml",
        "--report=/reports",
        "--cleanup",
        "--set=count=10000000",
        "--set=text=a,b",
        "--set=yes=true",
        "--log-format=json",
    ]
    data = objects["ConfigMap", "test-knavtool-workflows"]["data"]
    (volume,) = [one for one in spec["template"]["spec"]["volumes"] if one["name"] == "workflows"]
    files = {one["path"]: data[one["key"]] for one in volume["configMap"]["items"]}
    assert files == {"a.yml": WORKFLOW, "b.yml": WORKFLOW, "templates/job.yml": "  kind: {{.kind}}\n"}


def test_workflows_of_the_image_need_no_config_map() -> None:
    assert not [name for kind, name in render(ONE_TASK) if kind == "ConfigMap"]
    assert [one["name"] for one in pod(ONE_TASK)["volumes"]] == ["tmp", "reports"]


def test_reports_can_be_kept() -> None:
    spec = pod({**JOB, "reports": {"persistentVolumeClaim": "kept"}})
    assert {"name": "reports", "persistentVolumeClaim": {"claimName": "kept"}} in spec["volumes"]
    assert spec["securityContext"]["fsGroup"] == 65532
    assert "fsGroup" not in pod(JOB)["securityContext"]


def test_a_server_has_a_service_probes_and_a_token() -> None:
    objects = render(SERVER)
    assert {kind for kind, _ in objects} == {
        "ServiceAccount",
        "ClusterRole",
        "ClusterRoleBinding",
        "Secret",
        "Service",
        "Deployment",
    }
    deployment = objects["Deployment", "test-knavtool"]
    assert (deployment["spec"]["replicas"], deployment["spec"]["strategy"]["type"]) == (1, "Recreate")
    template = deployment["spec"]["template"]
    selector = deployment["spec"]["selector"]["matchLabels"]
    assert selector.items() <= template["metadata"]["labels"].items()
    service = objects["Service", "test-knavtool"]["spec"]
    assert service["selector"] == selector
    container = template["spec"]["containers"][0]
    assert container["args"] == ["serve", "--listen=0.0.0.0:8080", "--token-file=/token/token"]
    assert container["ports"] == [{"name": service["ports"][0]["targetPort"], "containerPort": 8080}]
    assert container["livenessProbe"]["httpGet"]["path"] == "/healthz"
    assert container["readinessProbe"]["httpGet"]["path"] == "/readyz"
    (volume,) = [one for one in template["spec"]["volumes"] if one["name"] == "token"]
    assert volume["secret"]["secretName"] == "test-knavtool-token"
    # 40 random characters, encoded once more by Kubernetes' rule for Secrets.
    assert len(objects["Secret", "test-knavtool-token"]["data"]["token"]) >= 54


def test_the_token_of_an_existing_secret() -> None:
    token = {"existingSecret": "mine", "key": "api-token"}
    values = {**SERVER, "server": {"port": 80, "token": token}}
    assert "Secret" not in {kind for kind, _ in render(values)}
    (volume,) = [one for one in pod(values)["volumes"] if one["name"] == "token"]
    assert volume["secret"] == {"secretName": "mine", "items": [{"key": "api-token", "path": "token"}]}


@pytest.mark.parametrize(
    "values", [JOB, SERVER, {"mode": "none", "exporter": {"enabled": True}}], ids=["job", "server", "exporter"]
)
def test_a_pod_is_restricted_and_keeps_off_virtual_nodes(values: dict[str, Any]) -> None:
    spec = pod({**values, "tolerations": [{"operator": "Exists"}], "nodeSelector": {"disk": "ssd"}})
    assert spec["securityContext"] == {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}}
    assert spec["enableServiceLinks"] is False
    container = spec["containers"][0]
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert {"name": "tmp", "mountPath": "/tmp"} in container["volumeMounts"]  # noqa: S108 - a path in the container
    assert {"name": "tmp", "emptyDir": {}} in spec["volumes"]
    terms = spec["affinity"]["nodeAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"]["nodeSelectorTerms"]
    assert terms == [{"matchExpressions": [{"key": "type", "operator": "NotIn", "values": ["kwok"]}]}]
    assert (spec["nodeSelector"], spec["tolerations"]) == ({"disk": "ssd"}, [{"operator": "Exists"}])


@pytest.mark.parametrize("values", [JOB, SERVER], ids=["job", "server"])
def test_everything_has_the_usual_labels(values: dict[str, Any]) -> None:
    for item in render(values).values():
        labels = item["metadata"]["labels"]
        assert labels["app.kubernetes.io/name"] == "knavtool"
        assert labels["app.kubernetes.io/instance"] == "test"
        assert labels["app.kubernetes.io/managed-by"] == "Helm"
        assert labels["app.kubernetes.io/version"] == __version__
        assert labels["helm.sh/chart"].startswith("knavtool-")


def test_the_role_has_what_all_task_types_need_and_nothing_for_all() -> None:
    role = rules(render(JOB)["ClusterRole", "tests-test-knavtool"])
    assert role["jobs.batch"] == {"create", "delete", "get", "list", "patch", "watch"}
    assert role["jobs/status.batch"] == {"patch"}
    assert role["nodes/status"] == {"patch"}
    assert role["services/proxy prometheus-operated:9090"] == {"get"}
    assert "services/proxy" not in role
    assert "customresourcedefinitions.apiextensions.k8s.io" not in role
    assert "secrets" not in role
    assert not [name for name, verbs in role.items() if "*" in name or "*" in verbs]


def test_the_role_of_few_task_types_is_small() -> None:
    values = {**JOB, "tasks": ["SubmitObj", "CheckPod", "Sleep"]}
    assert rules(render(values)["ClusterRole", "tests-test-knavtool"]) == {
        "events": {"list", "watch"},
        "jobs.batch": {"create", "delete", "get", "list", "watch"},
        "nodes": {"list"},
        "pods": {"create", "delete", "get", "list", "watch"},
    }


def test_rights_on_what_lives_in_namespaces_can_be_given_in_some_only() -> None:
    values = {
        **JOB,
        "tasks": ["Configure", "SubmitObj"],
        "objects": [
            {"apiGroups": ["batch"], "resources": ["jobs"]},
            {"apiGroups": ["kueue.x-k8s.io"], "resources": ["clusterqueues"], "clusterScoped": True},
        ],
        "rbac": {"namespaces": ["a", "b"]},
    }
    objects = render(values)
    everywhere = rules(objects["ClusterRole", "tests-test-knavtool"])
    assert set(everywhere) == {
        "clusterqueues.kueue.x-k8s.io",
        "deviceclasses.resource.k8s.io",
        "resourceslices.resource.k8s.io",
        "leases.coordination.k8s.io",
        "namespaces",
        "nodes",
        "nodes/status",
        "priorityclasses.scheduling.k8s.io",
    }
    for namespace in ("a", "b"):
        there = rules(objects["Role", f"{namespace}/tests-test-knavtool"])
        assert set(there) == {"configmaps", "deployments.apps", "jobs.batch", "pods"}
        binding = objects["RoleBinding", f"{namespace}/tests-test-knavtool"]
        assert binding["subjects"] == [{"kind": "ServiceAccount", "name": "test-knavtool", "namespace": "tests"}]


def test_tasks_that_need_nothing_get_no_role() -> None:
    assert "ClusterRole" not in {kind for kind, _ in render({**JOB, "tasks": ["Sleep"]})}


def test_definitions_can_be_submitted() -> None:
    definitions = {"apiGroups": ["apiextensions.k8s.io"], "resources": ["customresourcedefinitions"]}
    values = {**JOB, "tasks": ["SubmitObj"], "objects": [{**definitions, "clusterScoped": True}]}
    role = rules(render(values)["ClusterRole", "tests-test-knavtool"])
    assert role == {"customresourcedefinitions.apiextensions.k8s.io": {"create", "delete", "get", "list", "watch"}}


def test_what_is_only_looked_at_is_only_read() -> None:
    looked_at = [
        {"apiGroups": ["kueue.x-k8s.io"], "resources": ["workloads"], "tasks": ["CheckObj"]},
        {"apiGroups": [""], "resources": ["nodes"], "clusterScoped": True, "tasks": ["CheckObj"]},
    ]
    jobs = {"apiGroups": ["batch"], "resources": ["jobs"]}
    values = {**JOB, "tasks": ["SubmitObj", "CheckObj", "DeleteObj"], "objects": [jobs, *looked_at]}
    role = rules(render(values)["ClusterRole", "tests-test-knavtool"])
    assert role == {
        "events": {"list", "watch"},
        "jobs.batch": {"create", "delete", "get", "list", "watch"},
        "nodes": {"get", "list", "watch"},
        "pods": {"list", "watch"},
        "workloads.kueue.x-k8s.io": {"get", "list", "watch"},
    }


def test_an_account_of_somebody_else_gets_no_rights_if_so_wanted() -> None:
    values = {**JOB, "rbac": {"create": False}, "serviceAccount": {"create": False, "name": "mine"}}
    assert {kind for kind, _ in render(values)} == {"ConfigMap", "Job"}
    assert pod(values)["serviceAccountName"] == "mine"


EXPORTER = {"mode": "none", "exporter": {"enabled": True}}


def test_an_exporter_alone() -> None:
    objects = render(EXPORTER)
    name = "test-knavtool-exporter"
    assert set(objects) == {
        ("ServiceAccount", name),
        ("ClusterRole", f"tests-{name}"),
        ("ClusterRoleBinding", f"tests-{name}"),
        ("Service", name),
        ("Deployment", name),
        ("ConfigMap", "test-knavtool-dashboards"),
    }
    groups = [kind.group for kind in GROUPS if "minCount" in kind.values]
    read = ["nodes", "pods", *(f"podgroups.{group}" for group in groups)]
    assert rules(objects["ClusterRole", f"tests-{name}"]) == {one: {"list", "watch"} for one in read}
    binding = objects["ClusterRoleBinding", f"tests-{name}"]
    assert binding["roleRef"]["name"] == f"tests-{name}"
    assert binding["subjects"] == [{"kind": "ServiceAccount", "name": name, "namespace": "tests"}]
    spec = pod(EXPORTER)
    assert spec["serviceAccountName"] == name
    container = spec["containers"][0]
    assert container["args"] == ["exporter", "--listen=0.0.0.0:8081", "--resource=cpu,memory,nvidia.com/gpu"]
    assert container["resources"]["limits"] == {"memory": "256Mi"}
    assert container["livenessProbe"]["httpGet"] == {"path": "/healthz", "port": "metrics"}
    assert container["readinessProbe"]["httpGet"] == {"path": "/readyz", "port": "metrics"}


def test_the_service_of_a_server_does_not_lead_to_the_exporter() -> None:
    objects = render({**SERVER, "exporter": {"enabled": True}})
    for name, other in (("test-knavtool", "test-knavtool-exporter"), ("test-knavtool-exporter", "test-knavtool")):
        deployment = objects["Deployment", name]["spec"]
        selector = objects["Service", name]["spec"]["selector"]
        assert deployment["selector"]["matchLabels"] == selector
        assert selector.items() <= deployment["template"]["metadata"]["labels"].items()
        assert not selector.items() <= objects["Deployment", other]["spec"]["template"]["metadata"]["labels"].items()
    assert objects["Deployment", "test-knavtool"]["spec"]["template"]["spec"]["serviceAccountName"] == "test-knavtool"


def test_the_operator_of_prometheus_finds_the_exporter() -> None:
    monitor = {"enabled": True, "interval": "30s", "labels": {"release": "monitoring"}}
    chosen = {"enabled": True, "serviceMonitor": monitor, "nodeLabels": ["topology.kubernetes.io/rack", "nodeType"]}
    values = {**EXPORTER, "exporter": chosen}
    objects = render(values)
    found = objects["ServiceMonitor", "test-knavtool-exporter"]
    service = objects["Service", "test-knavtool-exporter"]
    assert found["metadata"]["labels"]["release"] == "monitoring"
    assert found["spec"]["selector"]["matchLabels"].items() <= service["metadata"]["labels"].items()
    assert found["spec"]["endpoints"] == [{"port": service["spec"]["ports"][0]["name"], "interval": "30s"}]
    assert "--node-label=topology.kubernetes.io/rack,nodeType" in pod(values)["containers"][0]["args"]
    assert "ServiceMonitor" not in {kind for kind, _ in render(EXPORTER)}


def test_dashboards_are_a_config_map_that_the_sidecar_of_grafana_finds() -> None:
    files = {file.name: json.loads(file.read_text()) for file in (CHART / "dashboards").iterdir()}
    found = render(EXPORTER)["ConfigMap", "test-knavtool-dashboards"]
    assert found["metadata"]["labels"]["grafana_dashboard"] == "1"
    assert {name: json.loads(text) for name, text in found["data"].items()} == files
    chosen = {"enabled": True, "dashboards": {"labels": {"other": "x"}, "annotations": {"grafana_folder": "GPUs"}}}
    metadata = render({**EXPORTER, "exporter": chosen})["ConfigMap", "test-knavtool-dashboards"]["metadata"]
    assert metadata["labels"]["other"] == "x"
    assert metadata["annotations"] == {"grafana_folder": "GPUs"}
    without = {"enabled": True, "dashboards": {"enabled": False}}
    assert "ConfigMap" not in {kind for kind, _ in render({**EXPORTER, "exporter": without})}


BAD = [
    ({"mode": "daemon"}, "at '/mode': value must be one of 'job', 'server', 'none'"),
    ({**EXPORTER, "exporter": {"resourceNames": []}}, "at '/exporter/resourceNames': minItems: got 0, want 1"),
    ({**EXPORTER, "exporter": {"nodeLabels": ["a b"]}}, "at '/exporter/nodeLabels/0': 'a b' does not match"),
    ({**EXPORTER, "exporter": {"serviceMonitor": {"interval": "often"}}}, "at '/exporter/serviceMonitor/interval'"),
    ({**JOB, "imagee": {}}, "additional properties 'imagee' not allowed"),
    ({**JOB, "image": {"pullPolicy": "Sometimes"}}, "at '/image/pullPolicy'"),
    ({**JOB, "tasks": ["CheckPods"]}, "at '/tasks/0': value must be one of 'Configure'"),
    ({**JOB, "objects": [{"apiGroups": ["*"], "resources": ["*"]}]}, "'/objects/0/apiGroups/0': '*' does not match"),
    ({**JOB, "objects": [{"resources": ["jobs"]}]}, "missing property 'apiGroups'"),
    (
        {**JOB, "objects": [{"apiGroups": [""], "resources": ["pods"], "tasks": ["Look"]}]},
        "at '/objects/0/tasks/0': value must be one of 'Configure'",
    ),
    ({"workflows": {"files": {"dir/a.yml": WORKFLOW}}}, "invalid propertyName 'dir/a.yml'"),
    ({"workflows": {"files": {"a.yml": {"tasks": []}}}}, "at '/workflows/files/a.yml': got object, want string"),
    ({**SERVER, "server": {"port": "http"}}, "at '/server/port': got string, want integer"),
    ({}, "a job needs a workflow: give workflows.files or workflows.paths"),
    ({**JOB, "serviceAccount": {"create": False}}, "serviceAccount.name is needed when serviceAccount.create is false"),
]


@pytest.mark.parametrize(("values", "said"), BAD, ids=[said for _, said in BAD])
def test_wrong_values_are_refused(values: dict[str, Any], said: str) -> None:
    assert said in refusal(values)


ALL_ARGUMENTS = [
    {**JOB, "workflows": {**JOB["workflows"], "variables": {"a": 1}}},
    SERVER,
    {**EXPORTER, "exporter": {"enabled": True, "nodeLabels": ["a"]}},
]


@pytest.mark.parametrize("values", ALL_ARGUMENTS)
def test_the_program_knows_the_arguments(values: dict[str, Any]) -> None:
    name, *given = pod(values)["containers"][0]["args"]
    options = {option for parameter in commands()[(name,)].params for option in parameter.opts}
    assert {argument.partition("=")[0] for argument in given if argument.startswith("-")} <= options


def test_lint_has_nothing_to_say() -> None:
    done = helm("lint", CHART, "--strict", values=JOB)
    assert done.returncode == 0, done.stdout
    assert "[WARNING]" not in done.stdout
    assert "[ERROR]" not in done.stdout


def test_the_schema_knows_every_task_type_and_value() -> None:
    schema = json.loads((CHART / "values.schema.json").read_text())
    known = schema["properties"]["tasks"]["items"]["enum"]
    assert sorted(known) == sorted(TYPES)
    values = yaml.safe_load((CHART / "values.yaml").read_text())
    assert set(schema["properties"]) == {*values, "global"}


def test_the_chart_has_the_version_of_the_program() -> None:
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text())
    assert chart["appVersion"] == __version__
    assert re.fullmatch(r"\d+\.\d+\.\d+", chart["version"])
