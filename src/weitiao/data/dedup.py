"""Duplicates, exact after folding and near by character 3-grams (Jaccard >= 0.8), in numpy.

Near pairs are found by prefix filtering (Chaudhuri et al. 2006; Bayardo et al. 2007), which unlike MinHash misses none:
with the grams of every text in one order, rarest first, two texts of Jaccard t share a gram among the first
n - ceil(t n) + 1 of each. Candidates pass a length bound and a bitmap bound before the exact count.

Notation: N texts, G grams over all texts (distinct within each), P candidate pairs.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]
Pair = tuple[int, int, float]

THRESHOLD = 0.8  # Lee et al. 2022, "Deduplicating training data", section 4.2
GRAM = 3
WORDS = 4  # 64-bit words of a text's bitmap
BLOCK = 1 << 20  # candidate pairs that are checked at a time
SLACK = 1e-9  # keeps rounding from losing a pair that is exactly at the threshold
END = "\x00"


def fold(texts: Sequence[str]) -> list[str]:
    """Texts as duplicates are told: NFKC, case-folded, each run of white space and punctuation one space.

    A text of nothing but punctuation keeps it, so that '?' and '!' stay apart.
    """
    joined = "".join(_compatible(text.replace(END, " ")) + END for text in texts).casefold()
    codes = np.frombuffer(joined.encode("utf-32-le", "surrogatepass"), dtype=np.uint32)
    gap = _gaps(codes)
    kept = ~(gap & np.concatenate(([False], gap[:-1])))
    folded = np.where(gap, np.uint32(ord(" ")), codes)[kept]
    parts = folded.tobytes().decode("utf-32-le", "surrogatepass").split(END)[:-1]
    return [part.strip() or raw.strip() for part, raw in zip(parts, joined.split(END)[:-1], strict=True)]


def _compatible(text: str) -> str:
    """NFKC; ASCII, which nearly all English is, stays itself."""
    return text if text.isascii() else unicodedata.normalize("NFKC", text)


def _gaps(codes: npt.NDArray[np.uint32]) -> npt.NDArray[np.bool_]:
    """Which characters only part words: white space, controls and punctuation, but no symbols ('+', an emoji)."""
    present = np.flatnonzero(np.bincount(codes))
    table = np.zeros(int(present.max(initial=0)) + 1, dtype=np.bool_)
    table[present] = [_is_gap(chr(code)) for code in present]
    return table[codes]


def _is_gap(character: str) -> bool:
    return character != END and (character.isspace() or unicodedata.category(character)[0] in "PZC")


def near_duplicates(
    left: Sequence[str], right: Sequence[str] | None = None, threshold: float = THRESHOLD
) -> list[Pair]:
    """Every pair of texts whose 3-gram sets have a Jaccard of at least `threshold`.

    Args:
        left: folded texts (see `fold`); shorter than three characters they have no grams and match nothing.
        right: other texts; None looks for pairs within `left`.
        threshold: above 0, at most 1.

    Returns:
        (index in left, index in right, Jaccard), sorted; within `left` the first index is the smaller one.
    """
    texts = [*left, *(right or ())]
    early = np.arange(len(texts)) < len(left)
    sides = None if right is None else (early, ~early)
    blocks = list(near_pairs(texts, sides, threshold))
    if not blocks:
        return []
    pairs, first = np.unique(np.concatenate([block for block, _values in blocks]), axis=0, return_index=True)
    values = np.concatenate([each for _block, each in blocks])[first]
    shift = 0 if right is None else len(left)
    return [(i, j - shift, value) for (i, j), value in zip(pairs.tolist(), values.tolist(), strict=True)]


def near_pairs(
    texts: Sequence[str], sides: tuple[Flags, Flags] | None = None, threshold: float = THRESHOLD
) -> Iterator[tuple[Ints, npt.NDArray[np.float64]]]:
    """Near-duplicate pairs block by block: (pairs [P, 2], Jaccard [P]); a pair may come in several blocks.

    Args:
        texts: folded texts.
        sides: which texts may stand first and which second in a pair, [N] each; None for all pairs i < j.
        threshold: Jaccard from which a pair counts.
    """
    grams = _grams(texts)
    if not len(grams.ids):
        return
    for pairs in _candidates(grams, sides, threshold):
        values = _jaccard(grams, pairs)
        near = values >= threshold - SLACK
        if near.any():
            yield pairs[near], values[near]


@dataclass(frozen=True, slots=True)
class _Grams:
    """Gram sets of N texts, one after the other, each rarest first.

    Args:
        ids: gram ids by rarity, [G].
        keys: text * count + id, [G]: ascending, so that a search finds a text's gram.
        count: number of gram ids.
        starts: first gram of each text, [N + 1].
        bitmaps: one bit a hashed gram, [N, WORDS].
    """

    ids: Ints
    keys: Ints
    count: int
    starts: Ints
    bitmaps: npt.NDArray[np.uint64]

    @property
    def sizes(self) -> Ints:
        """Distinct grams of each text, [N]."""
        return np.diff(self.starts)


def _grams(texts: Sequence[str]) -> _Grams:
    joined = END.join(texts) + END
    codes = np.frombuffer(joined.encode("utf-32-le", "surrogatepass"), dtype=np.uint32)  # [characters]
    lengths = np.fromiter(map(len, texts), dtype=np.int64, count=len(texts))
    rows = np.repeat(np.arange(len(texts)), lengths + 1)  # [characters]
    alphabet = np.flatnonzero(np.bincount(codes))
    table = np.zeros(int(alphabet[-1]) + 1, dtype=np.int64)
    table[alphabet] = np.arange(len(alphabet))  # END is 0
    dense = table[codes]
    ends = dense == 0
    whole = ~(ends[:-2] | ends[1:-1] | ends[2:])  # a gram never spans two texts
    width = len(alphabet)
    ids = _by_rarity(((dense[:-2] * width + dense[1:-1]) * width + dense[2:])[whole], width**GRAM)
    owner = rows[:-2][whole]
    count = int(ids.max()) + 1 if len(ids) else 1
    keys = _distinct(owner * count + ids)
    owner, ids = np.divmod(keys, count)
    starts = np.searchsorted(owner, np.arange(len(texts) + 1))
    return _Grams(ids, keys, count, starts, _bitmaps(owner, ids, len(texts)))


def _by_rarity(grams: Ints, space: int) -> Ints:
    """Grams renamed 0, 1, 2, ... in the order of their frequency, ties by value."""
    if space <= 4 * len(grams):
        counts = np.bincount(grams, minlength=1)
        order = np.argsort(counts, kind="stable")
        ranks = np.empty(len(order), dtype=np.int64)
        ranks[order] = np.arange(len(order))
        return ranks[grams]
    _values, inverse, counts = np.unique(grams, return_inverse=True, return_counts=True)
    ranks = np.empty(len(counts), dtype=np.int64)
    ranks[np.argsort(counts, kind="stable")] = np.arange(len(counts))
    return ranks[inverse]


def _bitmaps(owner: Ints, ids: Ints, texts: int) -> npt.NDArray[np.uint64]:
    """A Bloom-like bitmap of each text's grams, [N, WORDS]."""
    bits = 64 * WORDS
    hashed = ((ids.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15)) >> np.uint64(40)) % np.uint64(bits)
    flags = np.zeros(texts * bits, dtype=np.uint8)
    flags[owner * bits + hashed.astype(np.int64)] = 1
    return np.packbits(flags.reshape(texts, bits), axis=1).view(np.uint64)


def _candidates(grams: _Grams, sides: tuple[Flags, Flags] | None, threshold: float) -> Iterator[Ints]:
    """Pairs that share a prefix gram and whose sizes and bitmaps allow the threshold, [P, 2] a block."""
    sizes = grams.sizes
    owner, ids = _prefixes(grams, threshold)
    width = int(sizes.max()) + 1
    first, second = (sides[0][owner], sides[1][owner]) if sides else (slice(None), slice(None))
    keys = ids[first] * width + sizes[owner[first]]  # by gram, then by size
    order = np.argsort(keys)
    keys, lefts = keys[order], owner[first][order]
    rights, base = owner[second], ids[second] * width
    lowest = np.ceil(threshold * sizes[rights] - SLACK).astype(np.int64)
    highest = np.minimum(np.floor(sizes[rights] / threshold + SLACK).astype(np.int64), width - 1)
    low, high = np.searchsorted(keys, base + lowest, side="left"), np.searchsorted(keys, base + highest, side="right")
    for start, stop in _slices(high - low):
        counts = (high - low)[start:stop]
        offset = np.arange(int(counts.sum())) - np.repeat(np.cumsum(counts) - counts, counts)
        i, j = lefts[np.repeat(low[start:stop], counts) + offset], np.repeat(rights[start:stop], counts)
        keep = i != j if sides else i < j
        pairs = np.stack((i[keep], j[keep]), axis=1)
        pairs = pairs[_bitmap_bound(grams, pairs, threshold)]  # before sorting, which costs far more a pair
        yield np.stack(np.divmod(_distinct(pairs[:, 0] * len(sizes) + pairs[:, 1]), len(sizes)), axis=1)


def _distinct(values: Ints) -> Ints:
    """Each value once, ascending."""
    values = np.sort(values)
    return values[np.concatenate(([True], values[1:] != values[:-1]))] if len(values) else values


def _prefixes(grams: _Grams, threshold: float) -> tuple[Ints, Ints]:
    """(text, gram) of every prefix gram."""
    sizes = grams.sizes
    prefix = np.where(sizes > 0, sizes - np.ceil(threshold * sizes - SLACK).astype(np.int64) + 1, 0)  # [N]
    owner = np.repeat(np.arange(len(sizes)), prefix)
    within = np.arange(len(owner)) - np.repeat(np.cumsum(prefix) - prefix, prefix)
    return owner, grams.ids[grams.starts[owner] + within]


def _slices(counts: Ints) -> Iterator[tuple[int, int]]:
    """Consecutive ranges whose counts add up to about BLOCK."""
    total = np.cumsum(counts)
    start, done = 0, 0
    while start < len(counts) and total[-1] > done:
        stop = max(int(np.searchsorted(total, done + BLOCK, side="right")), start + 1)
        yield start, stop
        start, done = stop, int(total[stop - 1])


def _bitmap_bound(grams: _Grams, pairs: Ints, threshold: float) -> npt.NDArray[np.bool_]:
    """Pairs whose bitmaps differ in no more bits than the threshold allows: each differing gram sets at most one."""
    differ = np.zeros(len(pairs), dtype=np.int64)  # [P]
    for word in grams.bitmaps.T:
        differ += np.bitwise_count(word[pairs[:, 0]] ^ word[pairs[:, 1]])
    total = grams.sizes[pairs].sum(axis=1)
    return np.asarray(differ <= (1 - threshold) / (1 + threshold) * total + SLACK)


def _jaccard(grams: _Grams, pairs: Ints) -> npt.NDArray[np.float64]:
    """Exact Jaccard of each pair, [P]."""
    if not len(pairs):
        return np.zeros(0)
    sizes, keys = grams.sizes, grams.keys
    lengths = sizes[pairs[:, 0]]
    pair = np.repeat(np.arange(len(pairs)), lengths)
    within = np.arange(len(pair)) - np.repeat(np.cumsum(lengths) - lengths, lengths)
    wanted = pairs[pair, 1] * grams.count + grams.ids[grams.starts[pairs[pair, 0]] + within]
    found = keys[np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)] == wanted
    common = np.bincount(pair[found], minlength=len(pairs))
    return np.asarray(common / (sizes[pairs].sum(axis=1) - common))
