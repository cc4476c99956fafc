"""The real data sets that the benchmarks train on, as Records: read here by the standard library alone.

They stand beside the repository (or at $WEITIAO_SHARED) and are not part of it. Rows with a text seen before are left
out, so that no test row was trained on.
"""

from __future__ import annotations

import csv
import os
import random
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from weitiao.records import ClassifyRecord

TEST_ROWS = 2000
SPLIT_SEED = 17


@dataclass(frozen=True, slots=True)
class Corpus:
    """A labelled corpus with a fixed test part.

    Args:
        name: as in $WEITIAO_SHARED.
        starter: the pretrained model that fits its language.
        max_length: tokens a text.
        train, test: Records, no text twice.
    """

    name: str
    starter: str
    max_length: int
    train: Sequence[ClassifyRecord]
    test: Sequence[ClassifyRecord]

    @property
    def labels(self) -> list[str]:
        return sorted({record.label for record in self.train})

    def sample(self, rows: int, seed: int) -> list[ClassifyRecord]:
        """A seeded sample of the training rows."""
        return random.Random(seed).sample(list(self.train), min(rows, len(self.train)))

    def few(self, rows: int, seed: int) -> list[ClassifyRecord]:
        """So many training rows of each label, as far as there are so many."""
        drawn = random.Random(seed)
        of_label = [[record for record in self.train if record.label == label] for label in self.labels]
        return [record for records in of_label for record in drawn.sample(records, min(rows, len(records)))]


def load(name: str) -> Corpus:
    """The corpus of that name, an entry of `CORPORA`."""
    return CORPORA[name](shared_folder())


def shared_folder() -> Path:
    """Where the shared data sets are; ends the program where there are none."""
    beside = Path(__file__).resolve().parent.parent.parent / "shared" / "data"
    folder = Path(os.environ.get("WEITIAO_SHARED") or beside)
    if not folder.is_dir():
        raise SystemExit(f"no shared data sets at {folder}; set WEITIAO_SHARED")
    return folder


def _sst2(folder: Path) -> Corpus:
    train, test = (_lines(folder / "sst2" / f"{split}.tsv") for split in ("train", "test"))
    return _corpus("sst2", "en", 128, ((text, label) for text, label in train), ((text, label) for text, label in test))


def _waimai(folder: Path) -> Corpus:
    (path,) = (folder / "waimai_10k").glob("*.csv")
    with path.open(encoding="utf-8", newline="") as stream:
        pairs = [(row["review"].strip(), row["label"]) for row in csv.DictReader(stream)]
    return _split("waimai_10k", "zh-en", 128, pairs, TEST_ROWS)


def _semeval(folder: Path) -> Corpus:
    """Nineteen relations of two marked nominals; the marks stay in the text, as one word each."""
    marks = {"<e1>": " < ", "</e1>": " > ", "<e2>": " { ", "</e2>": " } "}
    parts = []
    for split in ("train", "test"):
        rows = _lines(folder / "semeval2010_task8" / f"{split}.tsv")
        parts.append([(re.sub("</?e[12]>", lambda found: marks[found[0]], text), label) for label, text in rows])
    return _corpus("semeval2010_task8", "en", 128, *parts)


def _bank_faq(folder: Path) -> Corpus:
    """Question and answer of a bank's help pages, by category; only the long ones: a tail up to 512 tokens."""
    with (folder / "bank_faq" / "BankFAQs.csv").open(encoding="utf-8", newline="") as stream:
        rows = [row for row in csv.DictReader(stream) if row["Class"].strip()]
    pairs = [(f"{row['Question'].strip()}\n{row['Answer'].strip()}", row["Class"].strip()) for row in rows]
    return _split("bank_faq", "en", 512, [pair for pair in pairs if len(pair[0].split()) >= LONG_WORDS], 120)


LONG_WORDS = 50


def _banking77(folder: Path) -> Corpus:
    return _corpus(
        "banking77", "en", 64, *(_named(folder / "banking77" / f"{split}.csv") for split in ("train", "test"))
    )


def _named(path: Path) -> list[tuple[str, str]]:
    with path.open(encoding="utf-8", newline="") as stream:
        return [(row["text"].strip(), row["category"]) for row in csv.DictReader(stream)]


CORPORA: Mapping[str, Callable[[Path], Corpus]] = {
    "sst2": _sst2,
    "waimai_10k": _waimai,
    "semeval2010_task8": _semeval,
    "bank_faq": _bank_faq,
    "banking77": _banking77,
}


def _lines(path: Path) -> Iterable[list[str]]:
    return (line.split("\t") for line in path.read_text("utf-8").splitlines() if line)


def _split(name: str, starter: str, max_length: int, pairs: Sequence[tuple[str, str]], test_rows: int) -> Corpus:
    """Cut a seeded test part off a corpus that comes without one."""
    shuffled = sorted(set(pairs))
    random.Random(SPLIT_SEED).shuffle(shuffled)
    return _corpus(name, starter, max_length, shuffled[test_rows:], shuffled[:test_rows])


def _corpus(
    name: str, starter: str, max_length: int, train: Iterable[tuple[str, str]], test: Iterable[tuple[str, str]]
) -> Corpus:
    seen: set[str] = set()
    held_out = _records(name, test, seen)
    return Corpus(name, starter, max_length, _records(name, train, seen), held_out)


def _records(name: str, pairs: Iterable[tuple[str, str]], seen: set[str]) -> list[ClassifyRecord]:
    records = []
    for line, (text, label) in enumerate(pairs, 1):
        if text not in seen:
            seen.add(text)
            records.append(ClassifyRecord(file=name, line=line, group="", text=text, text_pair=None, labels=(label,)))
    return records
