"""Bytes to text by evidence: byte order marks, NUL patterns, strict UTF-8, then how plausible each reading looks.

GB18030 and Latin-1 decode almost anything, so "it decodes" decides nothing here: a candidate must look like text that
people write. What no candidate reads plausibly is refused. No character is ever dropped or replaced.
"""

from __future__ import annotations

import codecs
import re
from collections import Counter
from dataclasses import dataclass
from encodings.aliases import aliases

from weitiao.errors import Problem, ProblemsFound
from weitiao.messages import _
from weitiao.tables import did_you_mean

SAMPLE = 65_536  # bytes that are judged; the whole file is decoded strictly afterwards
PLAUSIBLE = 0.45  # real Chinese scores 0.7 to 0.95 under its own encoding, below 0.3 under another's
MARGIN = 0.1  # lead that the best candidate needs over the next
NUL_SHARE = 0.9  # of the NUL bytes of UTF-16, those that sit on one side
BROKEN_UTF8 = (
    10  # valid multi-byte characters for each broken one that make a file damaged UTF-8 rather than another encoding
)

MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig", "UTF-8"),
    (codecs.BOM_UTF32_LE, "utf-32", "UTF-32"),  # before UTF-16, whose mark is its prefix
    (codecs.BOM_UTF32_BE, "utf-32", "UTF-32"),
    (codecs.BOM_UTF16_LE, "utf-16", "UTF-16"),
    (codecs.BOM_UTF16_BE, "utf-16", "UTF-16"),
)

# The Chinese characters that are most frequent in news, reviews, questions and titles, simplified and traditional.
COMMON_HAN = frozenset(
    "的一是了我有不在么家学买个好什中人你要发以上时这大工可能到询国咨子他公为下送和多年生吗吃用很没分来地天会小理怎还司对就行品都道动点货表电商法于"
    "股里性物与成病业化后定快出意现也方说高肝合及经看作度机间去过退面新太们那最自治三日次信正哪收重示体者开集研前东女量西得餐科想给被两究长问医常否果"
    "本区如月美名样其外加制资色海水部心特团少事别比基建等她打药做食单通手实同全求市应种之款价味金力服些产元持活只改血情达管因运车所第错份主系知件进期"
    "数男限起着而已回影再啊保关但明话南感网菜包平院员需内规费谢患农换肉将思型真结斯计慢联利文质候题相查球析气安当北任议二饭压式解口华老字白疗何术流由"
    "语请直非息十今喜代几入递位务从尔游您差展孩无技教并复才山然油证格优目头速控场路设则原投呢把总接提号世该统花评票谁银救状指告取据身类使变万放图近交"
    "州消此百态四或根检让至拉片称超支向传认店注视星空效响京半较布线卖购晚英完饮付算钱料组券约育器订配难光模德立觉死带易确装办神更玩它标周台民症报牌政"
    "试功论拍望石增欢站形城早战除受反红选界黑爱热冷贵错够像边条句书买听写走跑忙帮住房便宜服务员态味颜色"
    "這個們來時說對學會過還後開問麼電話為國發經現點長見關樣東車氣書與讓給買賣錢間題體實業產場區報導選舉華灣臺請謝當從應該該錯無愛聽寫邊條機票價號讀試"
    "進動員務處門嗎沒幾歲頭樂運議調據請將傳統義認識變總結構質環標準團隊處師風雲飯館誰難歡顏"
)
CHINESE_MARKS = frozenset("，。！？、：；“”‘’（）《》「」『』【】…—·～％　")
COMMON_CHINESE = COMMON_HAN | CHINESE_MARKS
LATIN_MARKS = frozenset("“”‘’„‚–—…•€£¥©®°«»¿¡·ºª±²³½¼¾×÷§¢™\xa0\xad")

CANDIDATES = ("gb18030", "big5hkscs", "cp1252")


@dataclass(frozen=True, slots=True)
class Decoded:
    """The text of a file.

    Args:
        text: without a byte order mark.
        encoding: Python's name of the encoding.
        how: one sentence: how it was told.
    """

    text: str
    encoding: str
    how: str


def decode(data: bytes, encoding: str | None, file: str) -> Decoded:
    """The text of `data`.

    Raises:
        ProblemsFound: the named encoding is unknown or does not fit, or no encoding is plausible.
    """
    if encoding:
        return _as_told(data, encoding, file)
    for mark, name, shown in MARKS:
        if data.startswith(mark):
            how = _("a byte order mark says {encoding}").format(encoding=shown)
            return Decoded(_strict(data, name, file), name, how)
    if b"\0" in data:
        return _utf16(data, file)
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        _refuse_if_damaged_utf8(data, error, file)
        return _by_plausibility(data, file)
    return _valid_utf8(data, text)


def _as_told(data: bytes, encoding: str, file: str) -> Decoded:
    try:
        name = codecs.lookup(encoding).name
        b"".decode(name)
    except LookupError as error:
        known = sorted({*aliases.values(), *(alias.replace("_", "-") for alias in aliases)})
        message = _("unknown encoding '{name}'{hint}; expected a name such as utf-8, utf-16 or gb18030").format(
            name=encoding, hint=did_you_mean(encoding, known)
        )
        raise ProblemsFound([Problem("unknown-encoding", message, file=file)]) from error
    try:
        text = data.decode(name)
    except UnicodeDecodeError as error:
        todo = _instead_of(encoding, data, file)
        raise ProblemsFound([_undecodable(data, error, name, file, todo)]) from error
    return Decoded(text.removeprefix("\ufeff"), name, _("`encoding:` says so"))


def _instead_of(encoding: str, data: bytes, file: str) -> str:
    """What to do about an encoding that the user names and that does not fit."""
    try:
        found = decode(data, None, file).encoding
    except ProblemsFound:
        return _("repair the file, or name another encoding than {encoding}").format(encoding=encoding)
    return _("the encoding named, {encoding}, is wrong, the content looks like {found}; remove it").format(
        encoding=encoding, found=found
    )


def _strict(data: bytes, name: str, file: str) -> str:
    try:
        return data.decode(name)
    except UnicodeDecodeError as error:
        raise ProblemsFound([_undecodable(data, error, name, file)]) from error


def _undecodable(data: bytes, error: UnicodeDecodeError, name: str, file: str, todo: str = "") -> Problem:
    """Names the byte and the line at which decoding stopped, and what to do."""
    line = data[: error.start].decode(name, "replace").count("\n") + 1
    message = _("not valid {encoding}: byte {byte} at offset {offset} does not decode; {todo}").format(
        encoding=name,
        byte=f"0x{data[error.start]:02x}",
        offset=error.start,
        todo=todo or _("repair the file or set `encoding:`"),
    )
    return Problem("undecodable", message, file=file, line=line)


def _utf16(data: bytes, file: str) -> Decoded:
    """UTF-16 without a mark: the NUL bytes of ASCII characters all sit on one side of each pair."""
    even, odd = data[0::2].count(0), data[1::2].count(0)
    name = "utf-16-le" if odd >= even else "utf-16-be"
    if len(data) % 2 == 0 and max(even, odd) >= NUL_SHARE * (even + odd):
        text = data.decode(name, "replace")
        if "\ufffd" not in text and "\0" not in text:
            how = _("no byte order mark, but the NUL bytes sit where {encoding} has them").format(encoding=name.upper())
            return Decoded(text, name, how)
    line = data[: data.index(0)].count(b"\n") + 1
    message = _(
        "holds NUL bytes (the first at offset {offset}) and is not UTF-16; expected a text file, or set `format:`"
    ).format(offset=data.index(0))
    raise ProblemsFound([Problem("undecodable", message, file=file, line=line)])


def _valid_utf8(data: bytes, text: str) -> Decoded:
    """Valid UTF-8, unless a few two-byte characters are far better Chinese in GB18030 (the 'lian tong' accident)."""
    if text.isascii():
        return Decoded(text, "utf-8", _("only ASCII characters, read as UTF-8"))
    foreign = re.findall(r"[^\x00-\x7f]+", text[:SAMPLE])
    if max(map(len, foreign), default=0) > 1 and all(
        "\xff" < character <= "\u07ff" for run in foreign for character in run
    ):
        chinese = _decoded_sample(data, "gb18030")
        han = [character for character in chinese if character > "\x7f"]
        if "\ufffd" not in chinese and all(character in COMMON_CHINESE for character in han):
            how = _("valid UTF-8 too, but only in GB18030 is it common Chinese")
            return Decoded(data.decode("gb18030"), "gb18030", how)
    count = len(text) - len(text.encode("ascii", "ignore"))
    return Decoded(text, "utf-8", _("valid UTF-8 with {count} non-ASCII characters").format(count=count))


def _refuse_if_damaged_utf8(data: bytes, error: UnicodeDecodeError, file: str) -> None:
    """A file that is UTF-8 but for a few bytes is damaged, not in another encoding."""
    text = data.decode("utf-8", "replace")
    broken = text.count("\ufffd")
    whole = sum(character > "\x7f" for character in text) - broken
    if whole >= BROKEN_UTF8 * broken:
        raise ProblemsFound([_undecodable(data, error, "utf-8", file)])


def _by_plausibility(data: bytes, file: str) -> Decoded:
    """The most plausible encoding in which the whole file decodes; of the sample alone the lead is asked for."""
    scores = {name: _plausibility(_decoded_sample(data, name), name) for name in CANDIDATES}
    ranked = sorted(scores, key=lambda name: -scores[name])
    plausible = [name for name in ranked if scores[name] >= PLAUSIBLE]
    whole = next(((name, text) for name in plausible if (text := _decoded(data, name)) is not None), None)
    best = whole[0] if whole else ranked[0]
    rivals = [name for name in ranked[ranked.index(best) + 1 :] if scores[best] - scores[name] < MARGIN]
    if not plausible or rivals:
        tried = ", ".join(f"{name} {value:.2f}" for name, value in scores.items())
        message = _(
            "the encoding cannot be told: not UTF-8, and no other reading is plausible text ({tried}, "
            "of 1); set `encoding:`"
        ).format(tried=tried)
        raise ProblemsFound([Problem("undecodable", message, file=file)])
    how = _("not UTF-8; read as {encoding}, {share} of the non-ASCII characters are ones in common use").format(
        encoding=best, share=f"{scores[best]:.0%}"
    )
    return Decoded(whole[1] if whole else _strict(data, best, file), best, how)


def _decoded(data: bytes, name: str) -> str | None:
    """The whole as text; None where it does not decode."""
    try:
        return data.decode(name)
    except UnicodeDecodeError:
        return None


def _decoded_sample(data: bytes, name: str) -> str:
    """The first bytes as text; broken ones as U+FFFD, which only lowers the score."""
    return codecs.getincrementaldecoder(name)("replace").decode(data[:SAMPLE], final=len(data) <= SAMPLE)


def _plausibility(text: str, name: str) -> float:
    """Share of the non-ASCII characters that people often write in this encoding's languages, 0 to 1."""
    counts = Counter(text)
    foreign = sum(count for character, count in counts.items() if character > "\x7f")
    if not foreign:
        return 0.0
    if name == "cp1252":
        return _western(text) / foreign
    return sum(count for character, count in counts.items() if character in COMMON_CHINESE) / foreign


def _western(text: str) -> int:
    """Accented letters that touch an ASCII letter or stand alone, and typographic marks that do not pile up.

    Two foreign characters in a row count in a word only: by themselves they are what a Chinese character becomes in a
    file of one a line.
    """
    lone = re.findall(r"(?<![^\x00-\x7f])[^\x00-\x7f](?![^\x00-\x7f])", text)
    pairs = re.findall(
        r"(?:(?<=[A-Za-z0-9])[^\x00-\x7f]{2}(?![^\x00-\x7f])|"
        r"(?<![^\x00-\x7f])[^\x00-\x7f]{2}(?=[A-Za-z0-9]))",
        text,
    )
    return sum(character.isalpha() or character in LATIN_MARKS for run in (*lone, *pairs) for character in run)
