"""Linear probes: what they find, and what they put out for classes that they never saw."""

from __future__ import annotations

import numpy as np
import pytest

from weitiao.evaluation.probe import NEVER, probe_classes, probe_labels, probe_numbers

RNG = np.random.default_rng(0)


def blobs(classes: int, rows: int = 240, width: int = 6) -> tuple[np.ndarray, np.ndarray]:
    """Rows around one centre a class, one number of them a thousand times larger than the rest and of no meaning."""
    centres = RNG.normal(size=(classes, width)) * 4
    targets = RNG.integers(0, classes, rows)
    vectors = centres[targets] + RNG.normal(size=(rows, width))
    vectors[:, 0] = 1000 * RNG.normal(size=rows)
    return vectors, targets


@pytest.mark.parametrize("classes", [2, 4])
def test_classes_are_told_apart(classes: int) -> None:
    vectors, targets = blobs(classes)
    probe = probe_classes(vectors[:160], targets[:160], classes)
    logits = probe(vectors[160:])
    assert logits.shape == (80, classes)
    assert (logits.argmax(1) == targets[160:]).mean() > 0.9


def test_a_class_without_rows_is_never_answered() -> None:
    vectors, targets = blobs(2)
    logits = probe_classes(vectors, 2 * targets, 4)(vectors)
    assert (logits[:, [1, 3]] == NEVER).all()
    assert set(logits.argmax(1)) == {0, 2}


def test_one_class_is_answered_to_everything() -> None:
    vectors, _targets = blobs(2)
    assert set(probe_classes(vectors, np.ones(len(vectors), dtype=np.int64), 3)(vectors).argmax(1)) == {1}


def test_labels_are_answered_each_by_itself() -> None:
    vectors, targets = blobs(4)
    gold = np.stack([targets % 2, targets // 2], axis=1).astype(np.float64)
    logits = probe_labels(vectors[:160], gold[:160])(vectors[160:])
    assert ((logits > 0) == gold[160:]).mean() > 0.9


def test_numbers_are_fitted() -> None:
    vectors, _targets = blobs(2)
    gold = 3 * vectors[:, 1] - vectors[:, 2] + 5
    found = probe_numbers(vectors[:160], gold[:160])(vectors[160:])
    assert found.shape == (80, 1)
    assert np.corrcoef(found[:, 0], gold[160:])[0, 1] > 0.98
