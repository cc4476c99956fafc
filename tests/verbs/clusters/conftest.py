"""One Ray for all tests of clusters."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from weitiao.verbs.clusters.session import Cluster, session


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    """Two workers of a Ray that the verbs find running."""
    where = Cluster(workers=2)
    with session(where):
        yield where
