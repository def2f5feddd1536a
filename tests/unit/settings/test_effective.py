"""The configuration that a component gets."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from knavtool.errors import UsageError
from knavtool.settings.effective import differing, effective, require_variables
from knavtool.settings.settings import Settings
from knavtool.settings.subject import Config, Shortcut, Subject

TEMPLATE = """\
# ours
webhook:
  port: ${port_webhook}
  certDir: ${certificates}
health: {address: "127.0.0.1:${port_health}"}
leaderElection:
  leaderElect: false
integrations:
  frameworks: [a, b]
"""
CONFIG = Config(process="gizmo", file="c.yaml", fixed=("leaderElection.leaderElect",))
SHORT = {"integrations": Shortcut(path="integrations.frameworks", values={"few": ["a"], "all": ["a", "b", "c"]})}
GIZMO = Subject(name="gizmo", processes=("gizmo",), config=CONFIG, template=TEMPLATE, shortcuts=SHORT)
VALUES = {"port_webhook": "1234", "port_health": "5678", "certificates": "/a place/#certs"}


def written(**settings: Any) -> Any:
    return yaml.safe_load(effective(GIZMO, Settings(**settings)).filled(VALUES))


def test_variables_are_filled_in_after_merging() -> None:
    made = written(fields={"webhook.extra": "x: ${port_webhook}", "dollars": "$1 ${unknown}"})
    assert made["webhook"] == {"port": 1234, "certDir": "/a place/#certs", "extra": "x: 1234"}
    assert made["health"] == {"address": "127.0.0.1:5678"}
    assert made["dollars"] == "$1 ${unknown}"


def test_a_file_is_merged_and_fields_win_over_it() -> None:
    made = written(config={"integrations": {"frameworks": ["x"], "more": 1}}, fields={"integrations.more": 2})
    assert made["integrations"] == {"frameworks": ["x"], "more": 2}


def test_a_shortcut_stands_for_a_value_at_its_path() -> None:
    assert written(fields={"integrations": "few"})["integrations"] == {"frameworks": ["a"]}
    assert written(fields={"integrations.frameworks": ["z"]})["integrations"] == {"frameworks": ["z"]}
    with pytest.raises(UsageError, match=r"--set gizmo.integrations=fewer: expected few or all; did you mean 'few'"):
        written(fields={"integrations": "fewer"})
    with pytest.raises(UsageError, match="expected few or all"):
        written(fields={"integrations": {"frameworks": []}})


def test_what_knavtool_needs_stays_in_a_file_of_production() -> None:
    theirs = {"webhook": {"port": 9443, "new": 1}, "leaderElection": {"leaderElect": True, "id": "x"}, "health": None}
    found = effective(GIZMO, Settings(config=theirs))
    assert found.kept == ("webhook.port", "health.address", "leaderElection.leaderElect")
    made = yaml.safe_load(found.filled(VALUES))
    assert made["webhook"] == {"port": 1234, "certDir": "/a place/#certs", "new": 1}
    assert made["leaderElection"] == {"leaderElect": False, "id": "x"}
    assert made["health"] == {"address": "127.0.0.1:5678"}


def test_only_what_differs_is_shown() -> None:
    theirs = {"webhook": {"port": 9443, "new": 1}, "leaderElection": {"leaderElect": False}, "integrations": None}
    found = differing(GIZMO, Settings(config=theirs, fields={"a": 1}))
    assert found == Settings(config={"webhook": {"new": 1}, "integrations": None}, fields={"a": 1})
    assert differing(GIZMO, Settings(config={"integrations": {"frameworks": ["a", "b"]}})) == Settings()


@pytest.mark.parametrize(
    ("field", "value", "told"),
    [
        ("webhook.port", 9443, r"webhook.port is \$\{port_webhook\}, and knavtool needs it so"),
        ("webhook", None, r"webhook.port is \$\{port_webhook\}"),
        ("webhook", {"certDir": "/x"}, r"webhook.port is"),
        ("leaderElection.leaderElect", True, "leaderElection.leaderElect is false"),
        ("webhook.port.x", 1, r"webhook.port is the value '\$\{port_webhook\}', so it has no key x"),
    ],
)
def test_what_knavtool_needs_cannot_be_set(field: str, value: Any, told: str) -> None:
    with pytest.raises(UsageError, match=f"--set gizmo.{field}: {told}"):
        written(fields={field: value})


def test_a_whole_file_keeps_its_text_and_must_have_what_knavtool_needs() -> None:
    text = TEMPLATE.replace("frameworks: [a, b]", "frameworks: []").replace("# ours", "# theirs")
    filled = effective(GIZMO, Settings(text=text)).filled(VALUES)
    assert filled.startswith("# theirs\nwebhook:\n  port: 1234\n")
    with pytest.raises(UsageError, match=r"knavtool needs these to be\n  webhook.port: \$\{port_webhook\}\n  webh"):
        effective(GIZMO, Settings(text="a: 1\n", source="c.yaml"))
    with pytest.raises(UsageError, match=r"--config gizmo=c.yaml --replace: expected a map"):
        effective(GIZMO, Settings(text="- a\n", source="c.yaml"))
    with pytest.raises(UsageError, match="not YAML"):
        effective(GIZMO, Settings(text="a: [\n"))
    made = yaml.safe_load(effective(GIZMO, Settings(text=text, fields={"new": 1})).filled(VALUES))
    assert (made["new"], made["integrations"]) == (1, {"frameworks": []})


def test_a_configuration_that_is_no_map() -> None:
    toml = Subject(name="toml", config=CONFIG, template="[section\nkey = ${port_x}\n")
    assert effective(toml, Settings(text="x = ${port_x}")).filled({"port_x": "1"}) == "x = 1"
    with pytest.raises(UsageError, match="no map, so --set cannot change it"):
        effective(toml, Settings(text="[x", fields={"a": 1}))
    with pytest.raises(UsageError, match="nothing can be merged over it") as caught:
        effective(toml, Settings(config={"a": 1}))
    assert "--replace" in caught.value.hint


def test_ports_that_a_process_does_not_have() -> None:
    known = frozenset({"port_http", "directory"})
    require_variables("${port_http} ${directory} ${whatever}", known, "here")
    with pytest.raises(UsageError, match="here: there is no port_htpp; did you mean 'port_http'"):
        require_variables("${port_htpp}", known, "here")
