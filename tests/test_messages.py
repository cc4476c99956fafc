"""The catalogues are complete: every message, its placeholders and its commands; and the command line speaks them."""

from __future__ import annotations

import errno
import importlib.util
import os
import re
import string
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest
from babel.messages.catalog import Catalog
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po

from weitiao import messages

COMMANDS = re.compile(r"weitiao (?:[a-z]+ )?[a-z]+ --?\w+|pip install [^()]*|--[a-z]+|`[^`]+`")


@pytest.fixture(scope="module")
def tool(repository: Path) -> ModuleType:
    """tools/catalogue.py."""
    spec = importlib.util.spec_from_file_location("catalogue", repository / "tools" / "catalogue.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def chinese(repository: Path) -> Catalog:
    path = repository / "src/weitiao/locale/zh_CN/LC_MESSAGES/weitiao.po"
    with path.open("rb") as stream:
        return read_po(stream, locale="zh_CN", domain="weitiao")


@pytest.fixture(scope="module")
def compiled(tmp_path_factory: pytest.TempPathFactory, chinese: Catalog) -> Path:
    """A locale folder with the compiled catalogue, wherever the package's own stands."""
    folder = tmp_path_factory.mktemp("locale")
    target = folder / "zh_CN" / "LC_MESSAGES" / "weitiao.mo"
    target.parent.mkdir(parents=True)
    with target.open("wb") as stream:
        write_mo(stream, chinese)
    return folder


@pytest.fixture
def speaking(compiled: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(messages, "LOCALE", compiled)
    messages._catalogue.cache_clear()
    with messages.language("zh_CN"):
        yield
    messages._catalogue.cache_clear()


def forms(value: object) -> tuple[str, ...]:
    return tuple(value) if isinstance(value, list | tuple) else (str(value or ""),)


def placeholders(text: str) -> set[tuple[str, str]]:
    return {(name, spec or "") for _text, name, spec, _conversion in string.Formatter().parse(text) if name is not None}


def test_every_message_is_translated_and_nothing_else(tool: ModuleType, chinese: Catalog) -> None:
    expected = {message.id for message in tool.collect() if message.id}
    there = {message.id for message in chinese if message.id}
    assert len(expected) > 500
    assert sorted(map(str, expected - there)) == [], "not in the catalogue; run: python tools/catalogue.py"
    assert sorted(map(str, there - expected)) == [], "no longer in the source; run: python tools/catalogue.py"
    assert list(chinese.obsolete) == []
    assert [str(each.id) for each in chinese if each.id and not tool.translated(each.string)] == [], "untranslated"
    assert [str(each.id) for each in chinese if each.id and each.fuzzy] == [], "fuzzy"


def test_placeholders_are_the_same(chinese: Catalog) -> None:
    wrong = []
    for message in chinese:
        if message.id and "{" in "".join(forms(message.id)):
            wanted = placeholders(forms(message.id)[-1])
            wrong += [str(message.id) for form in forms(message.string) if form and placeholders(form) != wanted]
    assert wrong == []


def test_commands_and_keys_are_left_as_they_are(chinese: Catalog) -> None:
    wrong = []
    for message in chinese:
        source, translation = forms(message.id)[-1], "".join(forms(message.string))
        wrong += [
            (source, each)
            for each in COMMANDS.findall(source)
            if message.id and translation and each.strip() not in translation
        ]
    assert wrong == []


STRAY = re.compile(
    r"[一-鿿][,;:?!]|[,;:?!] ?[一-鿿]|[一-鿿] +[一-鿿]|[，。；：？！] |[，。；：？！]{2}|\{hint\}[^）]|"
    r"(?<!\{)\btokens?\b(?!\})|'\{"
)  # half-width marks and spaces between Chinese, two marks in a row, a guess (it ends in ？) that is not the end


def test_chinese_is_set_as_chinese(chinese: Catalog) -> None:
    """What stands in backticks, and commands behind their colon, are left as they are."""
    wrong = []
    for message in chinese:
        for form in forms(message.string) if message.id else ():
            wrong += [(form, found[0]) for found in STRAY.finditer(re.sub(r"`[^`]*`|\{\{.*?\}\}", "``", form))]
    assert wrong == []


@pytest.mark.usefixtures("speaking")
def test_numbers_and_the_system_speak_chinese() -> None:
    assert [messages.millions(count) for count in (770, 36_980_736, 1_234_567_890)] == ["770", "3,698 万", "123,457 万"]
    missing = FileNotFoundError(errno.ENOENT, "No such file or directory")
    assert messages.system_reason(missing) == "没有这个文件或文件夹"
    with messages.language("en"):
        assert messages.millions(36_980_736) == "37.0 million"
        assert messages.system_reason(missing) == "No such file or directory"
        assert messages.system_reason(OSError(errno.ECONNREFUSED, "whatever")) == os.strerror(errno.ECONNREFUSED)
        assert messages.system_reason(OSError("no number")) == "no number"


def test_nothing_means_nothing() -> None:
    from weitiao.cli.help import shown

    assert shown("") == shown(None) == ""


@pytest.mark.usefixtures("speaking")
@pytest.mark.parametrize(
    ("arguments", "stream", "expected"),
    [
        (["--help"], "out", "用法：weitiao [选项] 命令"),
        (["predict", "--help"], "out", "覆盖输出文件。"),
        (["prdict"], "err", "错误：未知的命令“prdict”；您是不是想写“predict”？"),
        (["compare"], "err", "错误：缺少 A：运行文件夹。"),
        (["evaluate", "nowhere"], "err", "错误：nowhere：没有这个运行文件夹；应为某次运行的 `output` 文件夹"),
        (["check", "nowhere.yaml"], "err", "错误：nowhere.yaml: 无法读取配方（没有这个文件或文件夹）；应为 YAML 文件"),
        (["train", "nowhere.yaml", "oops"], "err", "错误：nowhere.yaml: 无法读取配方"),
    ],
)
def test_the_command_line_speaks_chinese(
    arguments: list[str], stream: str, expected: str, capsys: pytest.CaptureFixture[str]
) -> None:
    from weitiao.cli import main

    main(arguments)
    assert expected in getattr(capsys.readouterr(), stream)


@pytest.mark.usefixtures("speaking")
def test_chinese_help_fits_the_terminal(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    from weitiao.cli import main
    from weitiao.cli.layout import columns

    monkeypatch.setenv("COLUMNS", "80")
    main(["--help"])
    assert max(columns(line) for line in capsys.readouterr().out.splitlines()) <= 80


def test_the_environment_chooses_the_language(compiled: Path) -> None:
    program = (
        "import pathlib, sys; import weitiao.messages as m; m.LOCALE = pathlib.Path(sys.argv[1]);"
        "from weitiao.cli import main; sys.exit(main(['nonsense']))"
    )
    said = {}
    for name in ("zh_CN", "en"):
        done = subprocess.run(
            [sys.executable, "-c", program, str(compiled)], capture_output=True, env={"LANGUAGE": name}, check=False
        )
        assert done.returncode == 2
        said[name] = done.stderr.decode("utf-8")
    assert said["zh_CN"].startswith("错误：未知的命令")
    assert said["en"].startswith("error: unknown command")
