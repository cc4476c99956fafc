"""Cheap linear models on the vectors of a frozen backbone: how much of an answer a pretrained model already knows.

Vectors and targets go in; a function from vectors to what the task's own head would put out comes out, so that answers
are decoded and measured as those of a trained model. Vectors are standardised first: a few of a transformer's numbers
are many times larger than the rest (Timkey and van Schijndel 2021). The strength of the penalty is chosen on a seeded
fifth of the rows that are learnt from.

Notation: N rows (texts or tokens), D numbers of a vector, C classes.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from weitiao.records import FloatArray

Probe = Callable[[FloatArray], FloatArray]  # [N, D] -> [N, C]
Classes = npt.NDArray[np.int64]

COSTS = (1e-4, 1e-3, 1e-2, 1e-1)  # inverse regularisation of standardised vectors; tried upwards while it helps
PENALTIES = (1e1, 1e2, 1e3, 1e4)  # of a ridge regression
HELD_OUT = 5  # one row in so many chooses the penalty
STEPS = 200  # of L-BFGS
NEVER = -30.0  # logit of a class that no row to learn from has


def probe_classes(vectors: FloatArray, targets: Classes, classes: int, seed: int = 17) -> Probe:
    """Logistic regression of one class a row.

    Args:
        vectors: [N, D].
        targets: [N], the class of each row.
        classes: C.
        seed: of the held-out fifth.
    """
    present = np.unique(targets)  # [C'], ascending
    if len(present) == 1:
        return lambda rows: _widened(np.zeros((len(rows), 1)), present, classes)
    scale = _scale(vectors)
    inside = scale(vectors)  # [N, D]
    model = _logistic(inside, targets, _best_cost(inside, targets, seed))
    return lambda rows: _widened(_logits(model, scale(rows)), present, classes)


def probe_labels(vectors: FloatArray, targets: FloatArray, seed: int = 17) -> Probe:
    """Logistic regression of each label by itself; `targets` are 0 or 1, [N, C]."""
    each = [probe_classes(vectors, column.astype(np.int64), 2, seed) for column in targets.T]

    def logits(rows: FloatArray) -> FloatArray:
        found = [probe(rows) for probe in each]  # C of [N, 2]
        return np.stack([column[:, 1] - column[:, 0] for column in found], axis=1)

    return logits


def probe_numbers(vectors: FloatArray, targets: FloatArray) -> Probe:
    """Ridge regression of one number a row, [N] -> [N, 1]; the penalty by leaving out each row once."""
    from sklearn.linear_model import RidgeCV

    scale = _scale(vectors)
    model = RidgeCV(alphas=PENALTIES).fit(scale(vectors), targets)
    return lambda rows: np.asarray(model.predict(scale(rows)))[:, None]


def _scale(vectors: FloatArray) -> Probe:
    """Mean 0 and standard deviation 1 of each number over the rows that are learnt from."""
    mean, deviation = vectors.mean(0), vectors.std(0)
    deviation = np.where(deviation > 0, deviation, 1.0)
    return lambda rows: (rows - mean) / deviation


def _logistic(vectors: FloatArray, targets: Classes, cost: float) -> Any:
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # a probe that is nearly there tells as much
        return LogisticRegression(C=cost, max_iter=STEPS).fit(vectors, targets)


def _best_cost(vectors: FloatArray, targets: Classes, seed: int) -> float:
    """The cost with the most held-out rows right; of equals the smallest."""
    order = np.random.default_rng(seed).permutation(len(targets))
    held, kept = order[::HELD_OUT], np.sort(np.setdiff1d(order, order[::HELD_OUT]))
    best, most = COSTS[0], -1.0
    if len(np.unique(targets[kept])) < 2:
        return best
    for cost in COSTS:
        right = float((_logistic(vectors[kept], targets[kept], cost).predict(vectors[held]) == targets[held]).mean())
        if right < most:
            break
        if right > most:
            best, most = cost, right
    return best


def _logits(model: Any, vectors: FloatArray) -> FloatArray:
    """[N, C'] of the classes that there were; of two classes the first has 0."""
    found = np.asarray(model.decision_function(vectors))
    return np.stack([np.zeros_like(found), found], axis=1) if found.ndim == 1 else found


def _widened(logits: FloatArray, present: Classes, classes: int) -> FloatArray:
    """[N, C'] -> [N, C]."""
    wide = np.full((len(logits), classes), NEVER)
    wide[:, present] = logits
    return wide
