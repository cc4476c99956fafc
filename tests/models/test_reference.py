"""What a recipe may call a model, and everything that can be wrong with a folder before weights are opened."""

# ruff: noqa: E501  (whole messages, as users see them)
from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import huggingface_hub
import pytest
from huggingface_hub.errors import GatedRepoError, LocalEntryNotFoundError, RepositoryNotFoundError
from safetensors.torch import load_file, save_file

from weitiao.errors import MissingExtra, Refused
from weitiao.models import families, reference, weights
from weitiao.models.reference import locate, resolve
from weitiao.models.tiny import FAMILIES, tiny


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny("bert", tmp_path_factory.mktemp("models") / "mine")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tiny("bert", tmp_path / "mine")


def shard(folder: Path) -> None:
    state = load_file(folder / "model.safetensors")
    (folder / "model.safetensors").unlink()
    places = {name: f"model-0000{1 + index % 2}-of-00002.safetensors" for index, name in enumerate(state)}
    for file in sorted(set(places.values())):
        save_file({name: tensor for name, tensor in state.items() if places[name] == file}, folder / file)
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": places}))


def test_folder_is_read(made: Path) -> None:
    (made / "README.md").write_text("---\nlanguage: zh\nlicense: apache-2.0\n---\nlicense: other\n")
    model = resolve(str(made))
    state = load_file(made / "model.safetensors")
    assert model.path == made
    assert model.parameters == {name: tuple(tensor.shape) for name, tensor in state.items()}
    assert model.size == sum(tensor.numel() for tensor in state.values())
    assert (model.family, model.license, model.has_class("AutoModelForSequenceClassification")) == (
        "bert",
        "apache-2.0",
        True,
    )
    assert model.config["hidden_size"] == 32


def test_relative_folder_is_relative_to_base(made: Path) -> None:
    assert resolve("./mine", base=made.parent).path == made
    assert resolve("mine", base=made.parent).path == made
    assert resolve(str(made), base=Path("/nowhere")).path == made


def test_sharded_folder_reads_as_whole(folder: Path) -> None:
    whole = resolve(str(folder)).parameters
    shard(folder)
    assert resolve(str(folder)).parameters == whole


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("zh-en", "model 'zh-en': no such folder; expected {forms}; did you mean 'starter:zh-en'?"),
        ("./mime", "model './mime': no such folder; expected {forms}; did you mean './mine'?"),
        ("bert-base-chinese", "model 'bert-base-chinese': no such folder; expected {forms}; did you mean 'hf:bert-base-chinese'?"),
        ("hfl/chinese-macbert-base", "model 'hfl/chinese-macbert-base': no such folder; expected {forms}; did you mean 'hf:hfl/chinese-macbert-base'?"),
        ("./nowhere/at/all", "model './nowhere/at/all': no such folder; expected {forms}"),
        ("start:en", "model 'start:en': no such folder; expected {forms}; did you mean 'starter:en'?"),
        ("starter:zh_en", "unknown starter 'zh_en'; expected one of: en, en-chat, zh-en, zh-en-full; did you mean 'zh-en'?"),
        ("starter:", "unknown starter ''; expected one of: en, en-chat, zh-en, zh-en-full"),
        ("hf:a/b/c", "model 'hf:a/b/c': 'a/b/c' is not the id of a hub model; expected owner/name"),
        ("ms:", "model 'ms:': '' is not the id of a hub model; expected owner/name"),
        ("mine/config.json", "model 'mine/config.json' is a file; expected the folder it is in"),
    ],
)  # fmt: skip
def test_names_that_lead_nowhere(made: Path, name: str, message: str) -> None:
    with pytest.raises(Refused) as caught:
        resolve(name, base=made.parent)
    assert str(caught.value) == message.format(forms="./folder, starter:NAME, hf:owner/name or ms:owner/name")


def without_config(folder: Path) -> None:
    (folder / "config.json").unlink()


def broken_config(folder: Path) -> None:
    (folder / "config.json").write_text('{"model_type": ')


def no_family(folder: Path) -> None:
    (folder / "config.json").write_text("{}")


def unknown_family(folder: Path) -> None:
    (folder / "config.json").write_text('{"model_type": "distillbert"}')


def no_weights(folder: Path) -> None:
    (folder / "model.safetensors").unlink()


def old_weights(folder: Path) -> None:
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")


def old_shards(folder: Path) -> None:
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin.index.json")


def other_framework(folder: Path) -> None:
    (folder / "model.safetensors").rename(folder / "tf_model.h5")


def torn(folder: Path) -> None:
    content = (folder / "model.safetensors").read_bytes()
    (folder / "model.safetensors").write_bytes(content[:-100])


def torn_in_the_header(folder: Path) -> None:
    content = (folder / "model.safetensors").read_bytes()
    (folder / "model.safetensors").write_bytes(content[:50])


def empty(folder: Path) -> None:
    (folder / "model.safetensors").write_bytes(b"")


def other_bytes(folder: Path) -> None:
    (folder / "model.safetensors").write_bytes((4).to_bytes(8, "little") + b"abcd")


def pointer(folder: Path) -> None:
    (folder / "model.safetensors").write_text("version https://git-lfs.github.com/spec/v1\noid sha256:abc\nsize 123\n")


def missing_shard(folder: Path) -> None:
    shard(folder)
    (folder / "model-00002-of-00002.safetensors").unlink()


def broken_index(folder: Path) -> None:
    (folder / "model.safetensors").rename(folder / "kept")
    (folder / "model.safetensors.index.json").write_text("{}")


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (without_config, "{folder}: not a model folder: no config.json in it"),
        (broken_config, "{folder}/config.json: not valid JSON"),
        (no_family, "{folder}/config.json: no `model_type` in it; expected a transformers config"),
        (unknown_family, "{folder}/config.json: transformers does not know the model family 'distillbert'; did you mean 'distilbert'?"),
        (no_weights, "{folder}: has no weights; expected model.safetensors beside config.json"),
        (old_weights, "{folder}: holds old weights only (pytorch_model.bin), which are not loaded because they can carry code; convert them with: weitiao models convert {folder} {folder}-safetensors"),
        (old_shards, "{folder}: holds old weights only (pytorch_model.bin.index.json), which are not loaded"),
        (other_framework, "{folder}: holds TensorFlow weights only (tf_model.h5); expected model.safetensors"),
        (torn, "{folder}/model.safetensors: the weights are torn: "),
        (torn_in_the_header, "{folder}/model.safetensors: the weights are torn: 50 bytes, where the header asks for "),
        (empty, "{folder}/model.safetensors: the weights are torn: 0 bytes, where the header asks for 8; copy or download it again"),
        (other_bytes, "{folder}/model.safetensors: not a safetensors file (its header cannot be read); copy or download it again"),
        (pointer, "{folder}/model.safetensors: a Git LFS pointer, not the weights; fetch them with: git lfs pull"),
        (missing_shard, "{folder}/model.safetensors.index.json: names weight files that are missing: model-00002-of-00002.safetensors; download them again"),
        (broken_index, "{folder}/model.safetensors.index.json: no `weight_map` of tensor names to file names in it"),
    ],
)  # fmt: skip
def test_folders_that_cannot_be_used(folder: Path, damage: Callable[[Path], None], message: str) -> None:
    damage(folder)
    with pytest.raises(Refused) as caught:
        resolve(str(folder))
    assert str(caught.value).startswith(message.format(folder=folder))


def test_run_folder_hints_at_its_model(made: Path, tmp_path: Path) -> None:
    (tmp_path / "run" / "model").mkdir(parents=True)
    (tmp_path / "run" / "model" / "config.json").write_text("{}")
    with pytest.raises(Refused) as caught:
        resolve(str(tmp_path / "run"))
    expected = (
        f"{tmp_path / 'run'}: not a model folder: no config.json in it; did you mean '{tmp_path / 'run' / 'model'}'?"
    )
    assert str(caught.value) == expected


def test_families_are_those_of_transformers() -> None:
    from transformers.models.auto import modeling_auto

    assert families.families() == set(modeling_auto.MODEL_MAPPING_NAMES)
    assert families.families(families.STOCK["AutoModelForSequenceClassification"]) == set(
        modeling_auto.MODEL_FOR_SEQUENCE_CLASSIFICATION_MAPPING_NAMES
    )
    assert all(families.known(family) for family in FAMILIES)
    assert not families.known("vit", families.STOCK["AutoModelForSequenceClassification"])


def test_an_unreadable_table_claims_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(families, "_source", lambda: "")
    families.families.cache_clear()
    try:
        assert families.known("anything")
    finally:
        families.families.cache_clear()


@pytest.mark.parametrize("family", FAMILIES)
def test_headers_say_what_safetensors_says(family: str, tmp_path: Path) -> None:
    folder = tiny(family, tmp_path)
    expected = {name: tuple(tensor.shape) for name, tensor in load_file(folder / "model.safetensors").items()}
    assert weights.read_header(folder / "model.safetensors") == expected


def hub(monkeypatch: pytest.MonkeyPatch, answer: Path | Exception) -> list[dict[str, object]]:
    """Stand in for the hub's client; return what it is asked."""
    asked: list[dict[str, object]] = []

    def snapshot_download(name: str, **options: object) -> str:
        asked.append({"name": name, **options})
        if isinstance(answer, Exception):
            raise answer
        return str(answer)

    monkeypatch.setattr(huggingface_hub, "snapshot_download", snapshot_download)
    return asked


def test_hub_is_asked_for_what_is_needed(made: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = hub(monkeypatch, made)
    model = resolve("hf:owner/name", revision="v1", download=False)
    assert (model.path, model.name) == (made, "hf:owner/name")
    assert (asked[0]["name"], asked[0]["revision"], asked[0]["local_files_only"]) == ("owner/name", "v1", True)
    patterns, ignored = asked[0]["allow_patterns"], asked[0]["ignore_patterns"]
    files = [
        "config.json", "model.safetensors", "vocab.txt", "merges.txt", "tokenizer.json", "spiece.model", "README.md",
        "pytorch_model.bin", "tf_model.h5", "onnx/model.onnx", "onnx/config.json", "consolidated.safetensors", "modeling.py",
    ]  # fmt: skip
    fetched = huggingface_hub.utils.filter_repo_objects(files, allow_patterns=patterns, ignore_patterns=ignored)  # type: ignore[arg-type]
    assert list(fetched) == files[:7]


def test_old_weights_and_code_are_fetched_on_request(made: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = hub(monkeypatch, made)
    locate("hf:owner/name", old=True, code=True)
    wanted = asked[0]["allow_patterns"]
    assert isinstance(wanted, list)
    assert {"pytorch_model*.bin", "*.py"} <= set(wanted)
    assert "*.safetensors" not in wanted


def failure(kind: type[Exception]) -> Exception:
    """A hub error without the HTTP response that its constructor asks for."""
    error = kind.__new__(kind)
    error.args = ("some words of the client\nand a second line",)
    return error


@pytest.mark.parametrize(
    ("error", "download", "message"),
    [
        (failure(RepositoryNotFoundError), True, "hf:owner/name: the hub has no such model, or it is private; check the name, or log in with: hf auth login"),
        (failure(GatedRepoError), True, "hf:owner/name: its owner asks for consent first; accept the terms on its page and log in with: hf auth login"),
        (OSError("no route to host\nmore"), True, "hf:owner/name: cannot be fetched (no route to host); check the connection and HF_ENDPOINT, or give a folder with the model in it: model: ./folder"),
        (LocalEntryNotFoundError("not there"), False, "hf:owner/name: has not been fetched before, and fetching is off here"),
    ],
)  # fmt: skip
def test_hub_failures_are_one_sentence(
    monkeypatch: pytest.MonkeyPatch, error: Exception, download: bool, message: str
) -> None:
    hub(monkeypatch, error)
    with pytest.raises(Refused) as caught:
        resolve("hf:owner/name", download=download)
    assert str(caught.value) == message


def test_modelscope_is_an_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "modelscope.hub.snapshot_download", None)
    with pytest.raises(
        MissingExtra, match=r"modelscope is not installed; install it with: pip install 'weitiao\[modelscope\]'"
    ):
        resolve("ms:owner/name")


def test_resolving_needs_neither_torch_nor_network(made: Path) -> None:
    code = (
        "import socket, sys\n"
        "def refuse(*_): raise AssertionError('a socket was opened')\n"
        "socket.socket.connect = refuse\n"
        "from weitiao.models.reference import resolve\n"
        f"resolve({str(made)!r})\n"
        "print({'torch', 'transformers', 'huggingface_hub'} & set(sys.modules))"
    )
    out = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout
    assert out.strip() == "set()"


def test_prefixes_are_those_of_the_docs() -> None:
    assert reference.PREFIXES == ("starter", "hf", "ms")
