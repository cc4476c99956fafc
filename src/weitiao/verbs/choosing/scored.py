"""Rows to score on, where they are few: what would give more of them.

The number of rows, where they come from and `data.limit` go in; the one sentence that names what limits comes out.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from weitiao.data.splitting import take_shares
from weitiao.evaluation.learning import ENOUGH
from weitiao.evaluation.titles import split_title
from weitiao.messages import _
from weitiao.recipe.specs import share_of
from weitiao.verbs.preparing.preflight import Preflight

MOST_SHARE = 50  # percent for dev, above which less is learnt from than scored
STEP = 5  # percent, to which a share is rounded up


def way_to_more(found: Preflight, split: str) -> str:
    """What would give `ENOUGH` rows to score, in place of the few that `split` has.

    Args:
        found: with its rows.
        split: that is scored, dev or test.
    """
    if split == "dev" and dev_is_share(found) and not _limited(found, split):
        share = STEP * math.ceil(100 * ENOUGH / _count(found, ("train", "dev")) / STEP)
        if share <= MOST_SHARE:
            return _("give more, such as data.dev={share}%").format(share=share)
        return more_labelled(found, ("train", "dev"))
    return more_labelled(found, (split,))


def more_labelled(found: Preflight, splits: Sequence[str]) -> str:
    """What would give more rows of `splits`, all of which are scored already."""
    for split in splits:
        if _limited(found, split):
            return _("raise data.limit.{split}, which is {limit}").format(
                split=split, limit=found.recipe.data.limit[split]
            )
    if len(splits) == 1:
        return _("label more rows of {split}").format(split=split_title(splits[0]))
    words = _("label more: rows to learn from and to score, taken together, are only {rows}")
    return words.format(rows=_count(found, splits))


def _limited(found: Preflight, split: str) -> bool:
    """Whether `data.limit` is what keeps the split small."""
    limit = found.recipe.data.limit.get(split)
    return limit is not None and _count(found, (split,)) >= limit


def _count(found: Preflight, splits: Sequence[str]) -> int:
    assert found.dataset is not None  # refused otherwise
    return sum(len(found.dataset.records[split]) for split in splits)


def dev_is_share(found: Preflight) -> bool:
    """Whether dev is a share of the training rows; a `data.file` may have rows of its own, which no key tells."""
    spec, dataset = found.recipe.data, found.dataset
    share = share_of(spec.dev)
    if share is None or dataset is None:
        return False
    if "dev" in spec.model_fields_set or spec.file is None:
        return True  # rows of its own would be refused
    test = share_of(spec.test)
    others = [*dataset.items["train"], *(dataset.items.get("test", ()) if test else ())]
    taken = take_shares([*dataset.items["dev"], *others], [*([test] if test else ()), share], spec.split_seed)[-1]
    return taken == list(range(len(dataset.items["dev"])))
