"""Comparisons of many groups: statsmodels collects garbage at each of Holm's corrections."""

from collections.abc import Iterator

import pytest

from experiments.statistics.power import spared_by_the_collector


@pytest.fixture(autouse=True, scope="package")
def spared() -> Iterator[None]:
    with spared_by_the_collector():
        yield
