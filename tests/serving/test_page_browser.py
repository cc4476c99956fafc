"""The page in a real Chromium against a real `weitiao serve`: ask, read, correct, see it stored; in both languages."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.evaluation.test_page_browser import chromium  # noqa: F401
from tests.serving import kinds
from tests.serving.running import Server, running
from weitiao.serving.feedback.store import FeedbackStore

webdriver = pytest.importorskip("selenium.webdriver")
pytestmark = pytest.mark.slow
QUIET = (
    "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
)  # fmt: skip
WAIT = 60


@dataclass
class Reader:
    """Someone at the page."""

    driver: Any
    server: Server
    store: FeedbackStore

    def open(self, model: str) -> None:
        self.driver.get(f"http://127.0.0.1:{self.server.port}/")
        self.until("#field-text")
        self.choose(model)

    def until(self, selector: str) -> Any:
        from selenium.webdriver.support.ui import WebDriverWait

        def shown(_driver: Any) -> Any:
            return next((each for each in self.all(selector) if each.is_displayed()), None)

        return WebDriverWait(self.driver, WAIT).until(shown, selector)

    def all(self, selector: str) -> list[Any]:
        from selenium.webdriver.common.by import By

        found: list[Any] = self.driver.find_elements(By.CSS_SELECTOR, selector)
        return found

    def choose(self, model: str) -> None:
        from selenium.webdriver.support.ui import Select

        Select(self.until("#model")).select_by_value(model)

    def ask(self, **fields: str) -> str:
        for name, value in fields.items():
            self.type(f"#field-{name}", value)
        self.until("#go").click()
        return str(self.until("#answer").text)

    def type(self, selector: str, value: str) -> None:
        """As someone would, but for the keys, which WebDriver has only for the first plane of Unicode."""
        script = "arguments[0].value = arguments[1]; arguments[0].dispatchEvent(new Event('input', {bubbles: true}))"
        self.driver.execute_script(script, self.until(selector), value)

    def width(self) -> int:
        """Pixels that the page takes, with what is beyond the window."""
        width: int = self.driver.execute_script("return document.documentElement.scrollWidth")
        return width

    def stored(self) -> Any:
        name = self.until("#stored").text
        return next(each for each in self.store.rows() if each.id == name)


@pytest.fixture(scope="module")
def server(runs: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Server, FeedbackStore]]:
    path = tmp_path_factory.mktemp("kept") / "feedback.db"
    served = [runs / each for each in ("classify", "tag", "answer", "parse", "relate", "regress", "event")]
    with running(*served, options=("--feedback", f"sqlite:///{path}", "--workers", "0")) as server:
        yield server, FeedbackStore.open(path)


@pytest.fixture(params=["en-US", "zh-CN"])
def reader(
    request: pytest.FixtureRequest, server: tuple[Server, FeedbackStore], chromium: str  # noqa: F811
) -> Iterator[Reader]:  # fmt: skip
    options = webdriver.ChromeOptions()
    options.binary_location = chromium
    for each in (*QUIET, f"--lang={request.param}"):
        options.add_argument(each)
    options.add_experimental_option("prefs", {"intl.accept_languages": request.param})
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    service = webdriver.ChromeService(shutil.which("chromedriver"))
    driver = webdriver.Chrome(options=options, service=service)
    try:
        yield Reader(driver, *server)
        assert driver.get_log("browser") == []  # nothing was refused by the page's own policy, nothing is missing
    finally:
        driver.quit()


def test_the_page_is_used(reader: Reader, request: pytest.FixtureRequest) -> None:
    """One long visit, for a browser is slow to start: every kind of form, and the switch of languages."""
    reader.open("classify")
    wanted = "en" if "en-US" in request.node.name else "zh-CN"
    assert reader.all("html")[0].get_attribute("lang") == wanted

    text = "一部<b>好</b>电影 & \U0001f600"
    said = reader.ask(text=text)
    assert "neg" in said and "pos" in said and "%" in said
    next(each for each in reader.all("button.chip") if each.text == "neg").click()
    reader.until("#send").click()
    stored = reader.stored()
    assert (stored.model, stored.fields, stored.correction) == ("classify", {"text": text}, {"label": "neg"})
    assert stored.version.startswith("classify@") and set(stored.probabilities) == {"neg", "pos"}
    assert json.dumps(stored.prediction["labels"][0])[1:-1] in said

    reader.choose("tag")
    reader.ask(text="\U0001f600 Ann saw Bob")
    while removing := [each for each in reader.all("#correction li button") if each.is_displayed()]:
        removing[0].click()
    reader.until("#piece").send_keys("Bob")
    reader.until("#label").send_keys("person")
    reader.until(".adding button").click()
    reader.until("#send").click()
    assert reader.stored().correction == {"spans": [{"start": 10, "end": 13, "label": "person"}]}

    reader.choose("answer")
    reader.ask(question="Who?", text="\U0001f600 Ann saw Bob")
    reader.until("#piece").send_keys("Ann")
    reader.until("#send").click()
    assert reader.stored().correction == {"answers": [{"text": "Ann", "start": 2}]}

    reader.choose("parse")
    reader.ask(text="good film")
    assert len(reader.all("#answer svg text")) >= 4
    reader.until("#right").click()
    stored = reader.stored()
    assert stored.agreed is True and stored.correction["tokens"] == ["good", "film"]

    reader.choose("relate")
    reader.ask(text=kinds.TEXT, head="Ann", tail="Bob")
    next(each for each in reader.all("button.chip") if each.text == "sees").click()
    reader.until("#send").click()
    assert (reader.stored().fields["head"], reader.stored().correction) == ([0, 3], {"relation": "sees"})

    reader.choose("regress")
    reader.ask(text="a", text_pair="b")
    reader.until("#number").send_keys("3.5")
    reader.until("#send").click()
    assert reader.stored().correction == {"score": 3.5}

    reader.choose("event")
    reader.ask(text=kinds.TEXT)
    reader.type("#events", '[{"type": "Meet", "start": 4, "end": 7, "arguments": []}]')
    reader.until("#send").click()
    assert reader.stored().correction["events"][0]["type"] == "Meet"

    before = reader.all("html")[0].get_attribute("lang")
    reader.until("#switch").click()
    assert {before, reader.all("html")[0].get_attribute("lang")} == {"en", "zh-CN"}
    assert reader.until("#answer").text  # what was answered stays
    assert reader.width() <= reader.driver.execute_script("return innerWidth")
    metrics = {"width": 360, "height": 800, "deviceScaleFactor": 1, "mobile": False}  # a narrow phone
    reader.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    assert reader.width() <= 360
    reader.driver.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


def test_what_is_missing_is_said(reader: Reader) -> None:
    reader.open("relate")
    reader.until("#go").click()
    assert reader.until("#message .bad").text
    reader.until("#field-text").send_keys("Ann saw Bob")
    reader.until("#field-head").send_keys("Zoe")
    reader.until("#field-tail").send_keys("Bob")
    reader.until("#go").click()
    assert "Zoe" in reader.until("#message .bad").text
    assert not [each for each in reader.all("#answer") if each.is_displayed()]
