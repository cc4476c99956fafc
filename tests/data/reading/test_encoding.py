"""Encodings are told by evidence, and nothing is dropped or replaced."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from weitiao.data.reading.encoding import decode
from weitiao.errors import ProblemsFound

CHINESE = "label,review\n1,很快，好吃，味道足，量大\n0,送餐太慢了，等了两个小时才到\n1,电脑坏了怎么办？\n"
TRADITIONAL = "標題,內容\n1,這個問題我們已經說過很多次了，還是沒有人回答。\n0,請問這是什麼時候的事？謝謝你們。\n"
FRENCH = "texte,avis\nLe café était très bon, merci à vous,positif\nDéçu… trop cher pour ce que c’est,négatif\n"
GERMAN = "text;label\nDas Frühstück war großartig;gut\nÜberall Lärm, für 80 € zu schäbig;schlecht\n"
RUSSIAN = "текст,метка\nОчень хороший товар,да\nНе рекомендую никому,нет\n"
CHARACTERS = "张三是北京大学的学生，他在上海工作了三年。李明说好的不是这样"
WORDS = ("für", "naïve", "Größe", "é", "à", "où", "créée", "«", "»", "…", "über", "Äpfel", "25°C", "ß")
KOREAN = "text,label\n배송이 빨라서 좋았습니다,긍정\n다시는 사지 않을 것입니다,부정\n"


@pytest.mark.parametrize(
    ("text", "encoding", "told"),
    [
        (CHINESE, "utf-8", "utf-8"),
        (CHINESE, "utf-8-sig", "utf-8-sig"),
        (CHINESE, "utf-16", "utf-16"),
        (CHINESE, "utf-16-le", "utf-16-le"),
        (CHINESE, "utf-16-be", "utf-16-be"),
        (CHINESE, "utf-32", "utf-32"),
        (CHINESE, "gb18030", "gb18030"),
        (CHINESE, "gbk", "gb18030"),
        (TRADITIONAL, "big5", "big5hkscs"),
        (TRADITIONAL, "gb18030", "gb18030"),
        (TRADITIONAL, "utf-8", "utf-8"),
        (FRENCH, "utf-8", "utf-8"),
        (FRENCH, "cp1252", "cp1252"),
        (GERMAN, "cp1252", "cp1252"),
        (GERMAN.replace("€", "Euro"), "latin-1", "cp1252"),
        (RUSSIAN, "utf-8", "utf-8"),
        (KOREAN, "utf-8", "utf-8"),
        ("text,label\nplain,a\n", "ascii", "utf-8"),
    ],
)
def test_told_by_evidence(text: str, encoding: str, told: str) -> None:
    found = decode(text.encode(encoding), None, "f.csv")
    assert (found.encoding, found.text) == (told, text)
    assert found.how


@pytest.mark.parametrize(("text", "encoding"), [(RUSSIAN, "cp1251"), (RUSSIAN, "koi8-r"), (KOREAN, "euc-kr")])
def test_implausible_is_refused(text: str, encoding: str) -> None:
    with pytest.raises(ProblemsFound, match=r"^f\.csv: the encoding cannot be told.*set `encoding:`"):
        decode(text.encode(encoding), None, "f.csv")
    assert decode(text.encode(encoding), encoding, "f.csv").text == text


def tagged(tokens: Iterable[str], end: str = "\n") -> str:
    return "".join(f"{token}\tO{end}" for token in tokens)


@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize(
    ("tokens", "encoding", "told"),
    [
        (CHARACTERS, "gbk", "gb18030"),
        (CHARACTERS + "镕喆𠮷㐀", "gb18030", "gb18030"),
        ("A股B" + CHARACTERS + "iPhone", "gbk", "gb18030"),
        ("這個問題我們已經說過很多次了，還是沒有人回答。", "gb18030", "gb18030"),
        ("這個問題我們已經說過很多次了，還是沒有人回答。", "big5", "big5hkscs"),
        (WORDS, "cp1252", "cp1252"),
        (("é",), "cp1252", "cp1252"),
        (("où", "à", "Größe"), "latin-1", "cp1252"),
    ],
)
def test_a_token_a_line(tokens: Iterable[str], encoding: str, told: str, end: str) -> None:
    text = tagged(tokens, end)
    found = decode(text.encode(encoding), None, "f.conll")
    assert (found.encoding, found.text) == (told, text)


def test_the_next_plausible_encoding_where_the_best_does_not_decode_all() -> None:
    """Among Latin letters both look right; far behind the sample stands a byte that Windows-1252 does not know."""
    text = "A的B是C好D镕E " * 8000 + "丂"
    found = decode(text.encode("gbk"), None, "f.txt")
    assert (found.encoding, found.text) == ("gb18030", text)


def test_short_gbk_that_is_valid_utf8_is_still_chinese() -> None:
    accident = "系统,时钟".replace("钟", "学").encode("gbk")
    assert accident.decode("utf-8") == "ϵͳ,ʱѧ"
    assert decode(accident, None, "f").text == "系统,时学"
    assert decode("two\xa0\xa0spaces".encode(), None, "f").encoding == "utf-8"
    assert decode("ñandú, él".encode(), None, "f").encoding == "utf-8"
    assert decode("Ελληνικά κείμενα".encode(), None, "f").encoding == "utf-8"


def test_damaged_utf8_names_byte_and_line() -> None:
    data = CHINESE.encode() + b"1,\xff\n"
    with pytest.raises(ProblemsFound) as caught:
        decode(data, None, "f.csv")
    (problem,) = caught.value.problems
    assert (problem.code, problem.line) == ("undecodable", 5)
    assert f"byte 0xff at offset {len(data) - 2}" in problem.message


def test_told_encoding_is_honoured_and_checked() -> None:
    assert decode(CHINESE.encode("gb18030"), "GBK", "f").text == CHINESE
    assert decode("\ufeffa,b\n".encode(), "utf-8", "f").text == "a,b\n"
    with pytest.raises(
        ProblemsFound,
        match=r"^f:2: not valid utf-8: byte 0xba at offset 15.*wrong, the content looks like gb18030; remove",
    ):
        decode(CHINESE.encode("gb18030"), "utf-8", "f")
    with pytest.raises(ProblemsFound, match="unknown encoding 'gb18031'; did you mean 'gb18030'"):
        decode(b"a", "gb18031", "f")


def test_a_named_encoding_that_does_not_fit_and_no_other_does() -> None:
    with pytest.raises(ProblemsFound, match="does not decode; repair the file, or name another encoding than UTF8"):
        decode(RUSSIAN.encode("cp1251"), "UTF8", "f")


def test_nul_bytes_that_are_not_utf16() -> None:
    with pytest.raises(ProblemsFound, match=r"^f:2: holds NUL bytes \(the first at offset 3\)"):
        decode(b"ab\n\0\0\0\0x\0", None, "f")


def test_broken_gb18030_is_refused_not_repaired() -> None:
    data = (CHINESE * 20).encode("gb18030") + b"\x81\n"
    with pytest.raises(ProblemsFound, match=r"^f:81: not valid gb18030: byte 0x81"):
        decode(data, None, "f")
