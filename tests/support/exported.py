"""Metrics as a scraper reads them."""

from __future__ import annotations

import time
import urllib.request
from collections.abc import Callable, Mapping

from prometheus_client.parser import text_string_to_metric_families

from knavtool.catalogue.catalogue import Catalogue
from knavtool.exporter.groups import groups_in
from knavtool.recording.kinds import all_kinds

GROUPS = groups_in(all_kinds(Catalogue.load({"HOME": "/nonexistent"}).readable()[0]))
"""The kinds by which pods say that they are a gang, as the shipped records have them."""
Series = dict[str, dict[frozenset[tuple[str, str]], float]]
"""Values by the name of the series and its labels."""


def scraped(url: str) -> str:
    """The page at `URL/metrics`."""
    with urllib.request.urlopen(f"{url}/metrics", timeout=30) as answer:  # noqa: S310 - our own http address
        assert answer.headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
        text: str = answer.read().decode()
        return text


def series(url: str) -> Series:
    """All series of a page."""
    found: Series = {}
    for family in text_string_to_metric_families(scraped(url)):
        for sample in family.samples:
            found.setdefault(sample.name, {})[frozenset(sample.labels.items())] = sample.value
    return found


def labelled(**labels: str) -> frozenset[tuple[str, str]]:
    """The labels of a series."""
    return frozenset(labels.items())


def values(found: Series, name: str, by: str, **labels: str) -> Mapping[str, float]:
    """The values of a series by one of its labels, where the others are as given."""
    chosen = {key: value for key, value in found.get(name, {}).items() if labelled(**labels) <= key}
    return {dict(key)[by]: value for key, value in chosen.items()}


def until(url: str, condition: Callable[[Series], bool]) -> Series:
    """Scrape until the exporter has heard of everything; a scraper cannot watch."""
    deadline = time.monotonic() + 60
    while not condition(found := series(url)):
        assert time.monotonic() < deadline, found
        time.sleep(0.05)
    return found
