"""Keys: made once, kept hashed, limited in rate, taken away while the server runs."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from weitiao.cli import main
from weitiao.errors import Refused
from weitiao.serving import keys
from weitiao.serving.keys import Keyring


def test_the_file_has_the_hash_and_is_for_its_owner(tmp_path: Path) -> None:
    path = tmp_path / "keys.json"
    key = keys.add(path, "shop", per_minute=5)
    assert key.startswith("wt-") and len(key) > 40
    (kept,) = json.loads(path.read_text("utf-8"))["keys"]
    assert (kept["name"], kept["per_minute"]) == ("shop", 5)
    assert kept["sha256"] == hashlib.sha256(key.encode()).hexdigest()
    assert key not in path.read_text("utf-8")
    assert path.stat().st_mode & 0o077 == 0


def test_a_key_is_found_by_itself_only(tmp_path: Path) -> None:
    path = tmp_path / "keys.json"
    made = {name: keys.add(path, name) for name in ("shop", "desk")}
    ring = Keyring(path)
    for name, key in made.items():
        found = ring.find(key)
        assert found is not None and found.name == name
    assert [ring.find(each) for each in ("", "wt-", made["shop"] + "a", made["shop"][:-1], "\udcff")] == [None] * 5


def test_a_removed_key_is_refused_by_a_ring_that_is_in_use(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keys, "FRESH", 0.0)
    path = tmp_path / "keys.json"
    key = keys.add(path, "shop")
    ring = Keyring(path)
    assert ring.find(key) is not None
    keys.remove(path, "shop")
    assert ring.find(key) is None


def test_each_key_has_its_own_rate(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, now = tmp_path / "keys.json", [100.0]
    monkeypatch.setattr(keys.time, "monotonic", lambda: now[0])
    keys.add(path, "shop", per_minute=2)
    keys.add(path, "desk", per_minute=2)
    ring = Keyring(path)
    shop, desk = keys.read(path)
    assert [ring.wait(shop) for _each in range(3)] == [0, 0, 30]
    assert ring.wait(desk) == 0
    now[0] += 30
    assert ring.wait(shop) == 0


def test_what_cannot_be_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "keys.json"
    with pytest.raises(Refused, match="no keys in it; make one with: weitiao keys add"):
        Keyring(path)
    keys.add(path, "shop")
    with pytest.raises(Refused, match="there is a key named 'shop' already"):
        keys.add(path, "shop")
    with pytest.raises(Refused, match="no key named 'desk'; there are: shop"):
        keys.remove(path, "desk")
    path.write_text('{"keys": [{"name": "shop"}]}', "utf-8")
    with pytest.raises(Refused, match="no file of keys"):
        keys.read(path)


def test_the_commands(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = str(tmp_path / "keys.json")
    assert main(["keys", "add", path, "shop", "--per-minute", "9"]) == 0
    key = capsys.readouterr().out.strip()
    assert Keyring(Path(path)).find(key) is not None
    assert main(["keys", "list", path]) == 0
    assert "shop" in (shown := capsys.readouterr().out) and "9" in shown and key not in shown
    assert main(["keys", "remove", path, "shop"]) == 0
    assert main(["keys", "remove", path, "shop"]) == 2
