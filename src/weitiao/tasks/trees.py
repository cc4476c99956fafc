"""Dependency trees: how their labels are named, what is wrong with a gold one, and the best one by scores.

A label space holds relations and parts of speech, each with its kind before it. Words are numbered from 1, and 0 is the
root.

Notation: W words.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from weitiao.messages import _
from weitiao.records import FloatArray, IntArray

UPOS, DEPREL = "upos:", "deprel:"  # what stands before a part of speech and a relation in the label space
SHOWN = 8  # words that a message names


def names_of(kind: str, labels: Sequence[str]) -> list[str]:
    """The labels of one kind, by their own names, in order."""
    return [label.removeprefix(kind) for label in labels if label.startswith(kind)]


def tree_fault(heads: Sequence[int]) -> str:
    """Why these heads of the words 1 to W make no tree with one root; empty where they do."""
    words = len(heads)
    for word, head in enumerate(heads, start=1):
        if not 0 <= head <= words:
            message = _("the head of word {word} is {head}, outside the sentence of {count} words")
            return message.format(word=word, head=head, count=words)
    circle = a_circle([0, *heads])
    if circle:
        shown = [str(word) for word in [*circle, circle[0]]]
        named = " -> ".join([*shown[:SHOWN], *(["..."] if len(shown) > SHOWN else [])])
        return _("the heads go in a circle: {words}").format(words=named)
    roots = [word for word, head in enumerate(heads, start=1) if head == 0]
    if len(roots) == 1:
        return ""
    return _("{count} words have head 0, the root: {words}; expected one").format(
        count=len(roots), words=", ".join(map(str, roots[:SHOWN]))
    )


def a_circle(heads: Sequence[int]) -> list[int]:
    """Nodes that hang on each other in a ring, each before its head; empty where all hang on node 0.

    Args:
        heads: of each node; that of node 0 means nothing.
    """
    met = [0] * len(heads)  # the node from which each was first reached
    for start in range(1, len(heads)):
        node = start
        while node and not met[node]:
            met[node] = start
            node = int(heads[node])
        if node and met[node] == start:
            circle = [node]
            while (node := int(heads[node])) != circle[0]:
                circle.append(node)
            return circle
    return []


def best_tree(scores: FloatArray) -> IntArray:
    """Heads of the tree with the highest sum of scores among those with one root, [W].

    Chu & Liu 1965, Edmonds 1967. That one word alone hangs on the root is seen to by taking from every arc of the root
    more than any two trees can differ by (the reweighting of Stanojevic & Cohen 2021, section 3).

    Args:
        scores: of each word under each head, the root's column first, [W, W + 1]; finite.
    """
    words = len(scores)
    if not words:
        return np.zeros(0, dtype=np.int64)
    arcs = np.full((words + 1, words + 1), -np.inf)  # [W + 1, W + 1], of each node under each node
    arcs[1:] = scores
    arcs[1:, 0] -= words * (float(scores.max()) - float(scores.min())) + 1.0
    np.fill_diagonal(arcs, -np.inf)
    heads = _arborescence(arcs)
    return heads[1:]


def _arborescence(arcs: FloatArray) -> IntArray:
    """The best head of each node, so that all hang on node 0, [N].

    Args:
        arcs: score of each node under each other, [N, N]; minus infinity where there is none.
    """
    heads: IntArray = arcs.argmax(1)  # [N]
    circle = np.array(a_circle(heads.tolist()), dtype=np.int64)  # [C]
    if not len(circle):
        return heads
    others = np.setdiff1d(np.arange(len(arcs)), circle)  # [M], node 0 first; the circle becomes node M
    gained = arcs[np.ix_(circle, others)] - arcs[circle, heads[circle]][:, None]  # [C, M], by entering the circle there
    hanging = arcs[np.ix_(others, circle)]  # [M, C]
    smaller = np.full((len(others) + 1, len(others) + 1), -np.inf)
    smaller[:-1, :-1] = arcs[np.ix_(others, others)]
    smaller[-1, :-1] = gained.max(0)
    smaller[:-1, -1] = hanging.max(1)
    found = _arborescence(smaller)  # [M + 1]
    inside = found[:-1] == len(others)
    heads[others] = np.where(inside, circle[hanging.argmax(1)], others[np.minimum(found[:-1], len(others) - 1)])
    heads[circle[gained[:, found[-1]].argmax()]] = others[found[-1]]
    return heads


def head_probabilities(scores: FloatArray, heads: IntArray) -> FloatArray:
    """How probable each word's head is among all heads that it could have, [W].

    Args:
        scores: as for `best_tree`.
        heads: of each word.
    """
    words = np.arange(len(scores))
    possible = scores.copy()
    possible[words, words + 1] = -np.inf  # its own head
    powers = np.exp(possible - possible.max(1, keepdims=True))  # [W, W + 1]
    shares: FloatArray = powers[words, heads] / powers.sum(1)
    return shares
