"""Inference answers in order, a row alone as among others, and gives the loss of the rows with a target."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.models.families import FAMILIES, features, lively, network
from weitiao.models.batch import collate
from weitiao.models.inference import infer, infer_with_loss
from weitiao.models.padding import ALIKE, batches_by_length
from weitiao.records import Feature, Outputs


def logits(outputs: Sequence[Outputs]) -> np.ndarray[Any, Any]:
    return np.stack([each["logits"] for each in outputs])


@pytest.mark.parametrize("kind", ["stock", "mean"])
@pytest.mark.parametrize("family", FAMILIES)
def test_a_row_alone_answers_as_among_others(family: str, kind: str) -> None:
    net = lively(network(family, kind))  # type: ignore[arg-type]
    rows = features(family)
    together = logits(infer(net, rows))
    alone = logits([infer(net, [row])[0] for row in rows])
    np.testing.assert_allclose(together, alone, rtol=1e-5, atol=1e-5)
    assert np.ptp(alone, axis=0).min() > 0.01, "rows differ, so that a mix-up would be seen"


@pytest.mark.parametrize("batch_tokens", [1, 40, 10_000])
def test_answers_come_in_the_order_of_the_rows(batch_tokens: int) -> None:
    net, rows = lively(network("bert")), features("bert", 20)
    expected = logits(infer(net, rows))
    got = logits(infer(net, rows[::-1], batch_tokens=batch_tokens))
    np.testing.assert_allclose(got[::-1], expected, rtol=1e-5, atol=1e-6)


def test_the_loss_is_that_of_the_rows_with_a_target() -> None:
    net, rows = lively(network("bert")).eval(), features("bert", 10)
    unlabelled = [replace(row, targets={}) for row in features("bert", 5, seed=4)]
    mixed: list[Feature] = [*unlabelled, *rows]
    outputs, loss = infer_with_loss(net, mixed, batch_tokens=60)
    with torch.no_grad():
        whole = net.loss(collate(rows, net.spec.pad_id))
    assert loss == pytest.approx(float(whole.total / whole.weight), rel=1e-5)
    np.testing.assert_allclose(logits(outputs)[5:], logits(infer(net, rows)), rtol=1e-5, atol=1e-6)
    assert np.isnan(infer_with_loss(net, unlabelled)[1])


def test_the_mode_is_left_as_it_was_and_dropout_is_off() -> None:
    net, rows = network("bert", dropout=0.5).train(), features("bert", 4)
    assert np.array_equal(logits(infer(net, rows)), logits(infer(net, rows)))
    assert net.training and net.backbone.training
    infer(net.eval(), rows)
    assert not net.training


def test_nothing_in_nothing_out() -> None:
    outputs, loss = infer_with_loss(network("bert"), [])
    assert outputs == [] and np.isnan(loss)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(1, 300), max_size=60), st.integers(1, 2000), st.sampled_from([0.0, ALIKE]))
def test_batches_hold_every_row_once_within_the_budget(lengths: list[int], budget: int, alike: float) -> None:
    batches = batches_by_length(lengths, budget, alike=alike)
    assert sorted(row for batch in batches for row in batch) == list(range(len(lengths)))
    for batch in batches:
        longest = max(lengths[row] for row in batch)
        assert len(batch) == 1 or len(batch) * longest <= budget


def test_a_large_batch_takes_no_row_that_would_be_padded_much() -> None:
    lengths = [100] * 6 + [95, 80, 80, 20]
    assert batches_by_length(lengths, 2000) == [list(range(10))]
    assert batches_by_length(lengths, 2000, alike=ALIKE) == [[0, 1, 2, 3, 4, 5, 6], [7, 8, 9]], "the second is small"
