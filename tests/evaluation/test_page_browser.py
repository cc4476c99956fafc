"""The page in a real Chromium, in both languages: hostile text stays text, figures agree with report.json, no request
leaves, and of what English says in words nothing is left in Chinese.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from html import unescape
from pathlib import Path

import pytest

from tests.evaluation import synthetic
from tests.evaluation.catalogue import chinese
from tests.evaluation.test_page import at
from weitiao.evaluation.page import render_page
from weitiao.evaluation.schema import Report
from weitiao.messages import language

OFFLINE = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync",
    "--disable-background-networking", "--disable-component-update", "--disable-dev-shm-usage",
    "--host-resolver-rules=MAP * ~NOTFOUND",
)  # fmt: skip


@pytest.fixture(scope="module")
def chromium() -> str:
    found = next(
        (path for name in ("chromium", "chromium-browser", "google-chrome") if (path := shutil.which(name))), None
    )
    if found is None:
        reason = "no chromium on PATH (apt-get install chromium)"
        (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)(reason)
    return found


@dataclass(frozen=True)
class Opened:
    """A page as the browser has it, and what it asked for."""

    report: Report
    dom: str
    requests: set[str]


@pytest.fixture(scope="module")
def pages(chromium, tmp_path_factory) -> dict[str, Opened]:
    """Language -> the page of one report with hostile texts."""
    report, folder = synthetic.report(), tmp_path_factory.mktemp("pages")
    with language("en"):
        made = {"en": render_page(report)}
    with pytest.MonkeyPatch.context() as patch, chinese(folder, patch), language("zh_CN"):
        made["zh_CN"] = render_page(report)
    return {name: Opened(report, *browse(chromium, html, folder / name)) for name, html in made.items()}


@pytest.fixture(scope="module", params=["en", "zh_CN"])
def opened(request, pages) -> Opened:
    return pages[request.param]


def browse(chromium: str, html: str, folder: Path) -> tuple[str, set[str]]:
    """(DOM after loading, requests that the page made)."""
    folder.mkdir(exist_ok=True)
    page, netlog = folder / "report.html", folder / "net.json"
    page.write_text(html, "utf-8")
    command = [
        chromium, *OFFLINE, f"--user-data-dir={folder / 'profile'}", f"--log-net-log={netlog}", "--dump-dom",
        page.as_uri(),
    ]  # fmt: skip
    done = subprocess.run(command, capture_output=True, encoding="utf-8", timeout=60, check=True)
    return done.stdout, requests(netlog, page)


def requests(netlog: Path, page: Path) -> set[str]:
    """What the page itself asked for, by Chromium's network log; the browser's own errands have no origin."""
    events = json.loads(netlog.read_text("utf-8"))["events"]
    started = [each.get("params", {}) for each in events if "initiator" in each.get("params", {})]
    urls = {each["url"] for each in started if each["initiator"] != "not an origin"}
    return {url for url in urls if not url.startswith(("chrome", "data:", page.as_uri()))}


def test_a_script_in_a_text_stays_text(opened):
    dom = opened.dom
    title = re.search(r"<title>(.*?)</title>", dom)
    assert title
    assert title[1].startswith("runs/reviews")
    assert "<script" not in dom
    quote = re.search(r"<blockquote>(.*?)</blockquote>", dom, re.S)
    assert quote
    assert unescape(quote[1]) == synthetic.HOSTILE


def test_figures_agree_with_report_json(opened):
    figures = re.findall(r'<data data-key="([^"]+)" value="([^"]+)">', opened.dom)
    assert len(figures) > 80
    for key, value in figures:
        assert float(value) == at(opened.report, key), key


def test_no_request_leaves(opened):
    assert opened.requests == set()


def test_the_net_would_catch_a_request(chromium, tmp_path):
    """The check above can fail: a page that does fetch is seen to."""
    _dom, asked = browse(chromium, '<img src="http://127.0.0.1:9/pixel.png">', tmp_path)
    assert "http://127.0.0.1:9/pixel.png" in asked


def test_report_json_is_what_the_page_was_made_from(opened):
    report, dom = opened.report, opened.dom
    headline = re.search(rf'data-key="metrics\.{report.headline}\.value" value="([^"]+)"', dom)
    assert headline
    assert float(headline[1]) == json.loads(report.model_dump_json())["metrics"][report.headline]["value"]


NAMES = {"F1", "TF-IDF"}  # what is called the same in both languages
UNITS = r"\b(GB|MB)\b"
THE_USERS = ("style", "code", "pre", "blockquote", "header")  # theirs, or no words at all


def headings(dom: str) -> list[str]:
    """Titles of sections, columns, figures and what unfolds, in their order."""
    found = re.findall(r"<(h2|th|figcaption|summary)\b[^>]*>(.*?)</\1>", dom, re.S)
    spoken = re.findall(r'<svg\b[^>]* aria-label="([^"]*)"', dom)
    return [unescape(re.sub(r"<[^>]+>", "", text)).strip() for text in [*(text for _tag, text in found), *spoken]]


def sayings(dom: str) -> set[str]:
    """Every piece of text with a Latin word in it besides names and units; the user's own texts are left out."""
    body = dom.partition("<body>")[2]
    for tag in THE_USERS:
        body = re.sub(rf"<{tag}\b.*?</{tag}>", "", body, flags=re.S)
    pieces = (unescape(piece).strip() for piece in re.split(r"<[^>]+>", body))
    known = re.compile("|".join([UNITS, *NAMES]))
    return {piece for piece in pieces if re.search(r"[A-Za-z]{2}", known.sub("", piece))}


def test_nothing_is_left_in_english(pages):
    english, chinese_ones = (headings(pages[name].dom) for name in ("en", "zh_CN"))
    assert len(english) == len(chinese_ones) > 20
    assert set(english) & set(chinese_ones) <= NAMES
    assert all(re.search(r"[\u4e00-\u9fff]", each) for each in chinese_ones if each not in NAMES)
    assert '<html lang="zh-CN">' in pages["zh_CN"].dom
    warnings = set(pages["en"].report.data.problems)  # as the run wrote them down
    assert sayings(pages["en"].dom) & sayings(pages["zh_CN"].dom) == warnings
