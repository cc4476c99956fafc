"""Long files in parts: the rows are those of the same file read whole, and memory does not grow with the file."""

from __future__ import annotations

import json
import tracemalloc
from pathlib import Path

import pytest

from weitiao.data.reading import Reading, long, read_rows, stream_rows
from weitiao.errors import ProblemsFound

NAMES = frozenset({"text", "label"})
CSV = 'text,label\n"a, b\nc",x\n' + "".join(f"row {n} 很好,{n % 3}\n" for n in range(60))
FILES = {
    "plain.csv": CSV.encode(),
    "crlf.csv": CSV.replace("\n", "\r\n").encode("utf-8-sig"),
    "gb.csv": ("text,label\n" + "这个房间很好，服务也不错,好\n" * 20).encode("gb18030"),
    "late.csv": ("text,label\n" + "plain words,x\n" * 40 + "这个房间很好，服务也不错,好\n" * 20).encode("gb18030"),
    "semicolons.txt": CSV.replace(",", ";").encode(),
    "headless.csv": "".join(f"{n},word\n" for n in range(60)).encode(),
    "faults.csv": (CSV + '"never closed,x\nfine,y\n"after" it,z\nthree,cells,here\n\nlast,z').encode(),
    "quotes.tsv": ('text\tlabel\n"she said\tx\n' + "".join(f'he "{n}\ty\n' for n in range(60))).encode(),
    "quoted.tsv": ('text\tlabel\n"two\nlines"\tx\n' + "".join(f"row {n}\ty\n" for n in range(60))).encode(),
    "lines.jsonl": "".join(
        json.dumps({"text": f"row {n}\u2028很", **({"late": n} if n > 50 else {})}, ensure_ascii=False) + "\n"
        for n in range(60)
    ).encode()
    + b'{"broken\n\n[1, 2]\n"bare"\n',
    "wide.csv": CSV.encode("utf-16"),
    "array.json": json.dumps([{"text": f"row {n}"} for n in range(60)], indent=0).encode(),
}  # fmt: skip
WHOLE = {"late.csv", "wide.csv", "array.json"}


@pytest.mark.parametrize("name", FILES)
def test_the_rows_are_those_of_the_file_read_whole(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(long, "HEAD", 300)
    path = tmp_path / name
    path.write_bytes(FILES[name])
    whole, parts = read_rows(str(path), names=NAMES), stream_rows(str(path), names=NAMES)
    assert isinstance(parts, Reading) == (name in WHOLE)
    assert list(parts.columns) == list(whole.columns)
    assert list(parts.open()) == list(whole.rows)
    assert list(parts.open()) == list(whole.rows)  # as often as asked


def test_what_is_told_of_a_file_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(long, "HEAD", 100)
    path = tmp_path / "odd.dat"
    path.write_bytes("".join(f"{n}|很\n" for n in range(60)).encode("gb18030"))
    told = {"format": "csv", "encoding": "gb18030", "delimiter": "|", "header": False}
    parts = stream_rows(str(path), **told)  # type: ignore[arg-type]
    assert not isinstance(parts, Reading)
    assert list(parts.open()) == list(read_rows(str(path), **told).rows)  # type: ignore[arg-type]


def test_bytes_that_do_not_decode_are_refused_before_the_first_row(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(long, "HEAD", 300)
    path = tmp_path / "torn.csv"
    path.write_bytes(CSV.encode() + b"torn \xff,x\n")
    with pytest.raises(ProblemsFound, match=r"torn\.csv:\d+: not valid utf-8: byte 0xff"):
        stream_rows(str(path))


@pytest.mark.parametrize("suffix", ["csv", "tsv", "jsonl"])
def test_memory_does_not_grow_with_the_file(suffix: str, tmp_path: Path) -> None:
    line = {
        "csv": "{n},a text of some length that says nothing\n",
        "jsonl": '{{"id": {n}, "text": "a text of some"}}\n',
    }
    form = line.get(suffix) or line["csv"].replace(",", "\t")
    path = tmp_path / f"many.{suffix}"
    path.write_text("".join(form.format(n=n) for n in range(10**5)))
    tracemalloc.start()
    rows = sum(1 for _row in stream_rows(str(path)).open())
    _now, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert rows == 10**5
    assert path.stat().st_size > 3_500_000
    assert peak < 12_000_000  # the first megabyte, judged; all rows would take more than 30
