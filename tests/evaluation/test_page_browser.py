"""The page in a real Chromium: hostile text stays text, figures agree with report.json, no request leaves."""

import json
import os
import re
import shutil
import subprocess
from html import unescape
from pathlib import Path

import pytest

from tests.evaluation import synthetic
from tests.evaluation.test_page import at
from weitiao.evaluation.page import render_page

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


@pytest.fixture(scope="module")
def opened(chromium, tmp_path_factory):
    """(report, DOM after loading, requests that the page made) of a page with hostile texts."""
    folder = tmp_path_factory.mktemp("page")
    report = synthetic.report()
    page = folder / "report.html"
    page.write_text(render_page(report), "utf-8")
    netlog = folder / "net.json"
    command = [
        chromium,
        *OFFLINE,
        f"--user-data-dir={folder / 'profile'}",
        f"--log-net-log={netlog}",
        "--dump-dom",
        page.as_uri(),
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    return report, done.stdout, requests(netlog, page)


def requests(netlog: Path, page: Path) -> set[str]:
    """What the page itself asked for, by Chromium's network log; the browser's own errands have no origin."""
    events = json.loads(netlog.read_text("utf-8"))["events"]
    started = [each.get("params", {}) for each in events if "initiator" in each.get("params", {})]
    urls = {each["url"] for each in started if each["initiator"] != "not an origin"}
    return {url for url in urls if not url.startswith(("chrome", "data:", page.as_uri()))}


def test_a_script_in_a_text_stays_text(opened):
    _report, dom, _requests = opened
    title = re.search(r"<title>(.*?)</title>", dom)
    assert title
    assert title[1].startswith("runs/reviews")
    assert "<script" not in dom
    quote = re.search(r"<blockquote>(.*?)</blockquote>", dom, re.S)
    assert quote
    assert unescape(quote[1]) == synthetic.HOSTILE


def test_figures_agree_with_report_json(opened):
    report, dom, _requests = opened
    figures = re.findall(r'<data data-key="([^"]+)" value="([^"]+)">', dom)
    assert len(figures) > 80
    for key, value in figures:
        assert float(value) == at(report, key), key


def test_no_request_leaves(opened):
    assert opened[2] == set()


def test_the_net_would_catch_a_request(chromium, tmp_path):
    """The check above can fail: a page that does fetch is seen to."""
    page = tmp_path / "fetching.html"
    page.write_text('<img src="http://127.0.0.1:9/pixel.png">')
    netlog = tmp_path / "net.json"
    command = [
        chromium,
        *OFFLINE,
        f"--user-data-dir={tmp_path / 'profile'}",
        f"--log-net-log={netlog}",
        "--dump-dom",
        page.as_uri(),
    ]
    subprocess.run(command, capture_output=True, timeout=60, check=True)
    assert "http://127.0.0.1:9/pixel.png" in requests(netlog, page)


def test_report_json_is_what_the_page_was_made_from(opened):
    report, dom, _requests = opened
    headline = re.search(rf'data-key="metrics\.{report.headline}\.value" value="([^"]+)"', dom)
    assert headline
    assert float(headline[1]) == json.loads(report.model_dump_json())["metrics"][report.headline]["value"]
