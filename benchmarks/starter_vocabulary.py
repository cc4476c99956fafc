"""How much longer texts get when the Chinese-English starter's vocabulary is trimmed, for several ways to trim it.

Tokens a character of the trimmed tokenizer over those of the whole one, on English (sst2), Chinese (waimai_10k) and the
starter corpus. `--list` prints `english.txt` instead: the entries of all-MiniLM-L6-v2's vocabulary (BERT's uncased
one, Apache-2.0) that are pieces of multilingual-e5-small in some case.

    python benchmarks/starter_vocabulary.py --quick --json
"""

from __future__ import annotations

import csv
import os
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from tokenizers import Tokenizer

from weitiao.models import starters
from weitiao.models.starters import e5, packages, vocabulary

SHARED = Path(os.environ.get("WEITIAO_SHARED") or Path(__file__).resolve().parents[2] / "shared" / "data")
GOAL = 1.05  # at most 5 % more tokens; ours, no issue set it
QUICK_ROWS = 2_000
OURS = "english.txt + commonest 4,000 (the starter)"
RULES: Mapping[str, Mapping[str, object]] = {
    "commonest 4,000": {"commonest": 4_000, "listed": False},
    "commonest 16,000": {"commonest": 16_000, "listed": False},
    "commonest 40,000": {"commonest": 40_000, "listed": False},
    "english.txt": {"commonest": 0},
    OURS: {},
    "english.txt + commonest 8,000": {"commonest": 8_000},
}


def main() -> None:
    """Print the list, or measure as the other benchmarks do."""
    if "--list" in sys.argv:
        print("\n".join(english_pieces(e5.read(packages.find(starters.E5)).pieces)))
        return
    from harness import Bar, Benchmark, Cell, Result, Summary, run

    def cells(quick: bool) -> list[Cell]:
        return [Cell("all-rules", {"rows": QUICK_ROWS if quick else None, "rules": RULES})]

    def summarise(results: Mapping[str, Result]) -> Summary:
        measured = next((each.measured for each in results.values()), None)
        if measured is None:
            return Summary([])
        ours = next(row for row in measured["rules"] if row["rule"] == OURS)
        bars = {f"inflation_{name}": Bar(ours[name], GOAL, at_least=False) for name in measured["texts"]}
        counts = ", ".join(f"{name} {count:,}" for name, count in measured["texts"].items())
        note = f"Tokens by those of the whole vocabulary; texts: {counts}. The goal is ours, no issue set it."
        return Summary(measured["rules"], bars, [note])

    about = "How much longer texts get when the Chinese-English starter's vocabulary is trimmed. --list: english.txt."
    run(Benchmark("starter_vocabulary", about, cells, measure, summarise))


def english_pieces(pieces: Iterable[str]) -> list[str]:
    """Lower-case forms of the ASCII pieces that MiniLM's vocabulary lists as a word or, with `##`, as a part."""
    entries = (packages.find_any(starters.MINILM).parent / "vocab.txt").read_text("utf-8").split()
    words = {vocabulary.META + entry for entry in entries if not entry.startswith("##")}
    parts = {entry[2:] for entry in entries if entry.startswith("##")}
    lower = {piece.lower() for piece in pieces if vocabulary.is_ascii_word(piece)}
    return sorted(lower & (words | parts))


def measure(settings: Mapping[str, Any], workspace: Path) -> dict[str, Any]:  # noqa: ARG001
    """Tokens of each rule over those of the whole vocabulary, by set of texts."""
    checkpoint = e5.read(packages.find(starters.E5))
    sets = {name: texts[: settings["rows"]] for name, texts in load().items()}
    whole = _tokens(e5.tokenizer(checkpoint, range(len(checkpoint.pieces))), sets)
    rules = []
    for name, options in RULES.items():
        ids = e5.kept(checkpoint, **options)
        counts = _tokens(e5.tokenizer(checkpoint, ids), sets)
        rules.append(
            {"rule": name, "pieces": len(ids), **{each: round(counts[each] / whole[each], 4) for each in sets}}
        )
    return {"texts": {name: len(texts) for name, texts in sets.items()}, "rules": rules}


def load() -> dict[str, list[str]]:
    """Texts by name of the set."""
    with (SHARED / "waimai_10k" / "waimai_10k.csv").open(encoding="utf-8", newline="") as stream:
        reviews = [row["review"] for row in csv.DictReader(stream)]
    corpus = starters.corpus()
    lines = corpus.positive.read_text("utf-8").splitlines() + corpus.negative.read_text("utf-8").splitlines()
    tables = [SHARED / "sst2" / f"{split}.tsv" for split in ("test", "dev", "train")]
    english = [line.split("\t")[0] for path in tables for line in path.read_text("utf-8").splitlines()]
    return {"sst2": english, "waimai_10k": reviews, "corpus": lines}


def _tokens(tokenizer: Tokenizer, sets: Mapping[str, Sequence[str]]) -> dict[str, int]:
    """Number of tokens of each set, special ones left out."""
    return {
        name: sum(len(each) for each in tokenizer.encode_batch_fast(list(texts), add_special_tokens=False))
        for name, texts in sets.items()
    }


if __name__ == "__main__":
    main()
