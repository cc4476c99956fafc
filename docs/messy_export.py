"""Writes the file that docs/quickstart.md walks through: real reviews, and the mistakes that exports come with.

The reviews are those of the starter corpus (see NOTICE). The mistakes: GB18030 instead of UTF-8, columns with names of
their own, texts over several lines, an empty text, two misspelt labels, repeated rows and one text with both labels.

    python docs/messy_export.py export.csv
"""

from __future__ import annotations

import csv
import io
import random
import sys
from pathlib import Path

from weitiao.models.starters import corpus

EACH = 400  # reviews of either label
LENGTHS = range(10, 80)  # characters
SEED = 17


def rows() -> list[list[str]]:
    """Shop, review, label; the same every time."""
    rng = random.Random(SEED)
    files = corpus()
    found: list[list[str]] = []
    for label, path in (("好评", files.positive), ("差评", files.negative)):
        texts = sorted({line.strip() for line in path.read_text("utf-8").splitlines() if len(line.strip()) in LENGTHS})
        found += [[f"{rng.randint(1, 40):02d}号店", text, label] for text in rng.sample(texts, EACH)]
    rng.shuffle(found)
    return found


def with_mistakes(found: list[list[str]]) -> list[list[str]]:
    """The same rows after a few years in a spreadsheet."""
    for row in found[5::160]:
        row[1] = row[1].replace("，", "，\n", 1)
    found[40][2] = "差平"
    found[300][2] = "好评价"
    found[77][1] = "  "
    found[500:500] = [found[3], found[9]]
    shop, text, label = found[20]
    found.append([shop, text, "好评" if label == "差评" else "差评"])
    return found


def write(path: Path) -> None:
    """The export, as an office program on Chinese Windows writes it."""
    stream = io.StringIO()
    csv.writer(stream).writerows([["门店", "原话", "好坏"], *with_mistakes(rows())])
    path.write_bytes(stream.getvalue().encode("gb18030"))


if __name__ == "__main__":
    write(Path(sys.argv[1]))
