"""The page as text: languages, escaping, texts kept out, and figures that are those of report.json."""

import json
import re
from functools import reduce
from html.parser import HTMLParser

import pytest
from markupsafe import escape

from tests.evaluation import synthetic
from tests.evaluation.catalogue import chinese
from weitiao.evaluation.page import ledger_rows, plain, render_page
from weitiao.evaluation.schema import Curves, Report
from weitiao.evaluation.titles import metric_title
from weitiao.messages import language


@pytest.fixture(scope="module")
def made() -> Report:
    return synthetic.report()


class Page(HTMLParser):
    """Tags with their attributes, and the text."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data):
        self.text += data


def at(report: Report, key: str):
    """The value at a dotted place of report.json."""
    tree = json.loads(report.model_dump_json())
    return reduce(lambda node, step: node[int(step)] if isinstance(node, list) else node[step], key.split("."), tree)


def test_every_figure_is_that_of_report_json(made):
    figures = [attributes for tag, attributes in Page(render_page(made)).tags if tag == "data"]
    assert len(figures) > 80
    for attributes in figures:
        assert float(attributes["value"]) == at(made, attributes["data-key"]), attributes


def test_shown_figures_are_the_rounded_values(made):
    for key, value, shown in re.findall(r'<data data-key="([^"]+)" value="([^"]+)">([^<]+)</data>', render_page(made)):
        text = shown.replace("\u2212", "-").replace("\u202f%", "")
        scale = 1 if ".mcc." in key or key.startswith("calibration.") else 100
        assert float(text) == pytest.approx(scale * float(value), abs=0.051 if scale == 100 else 0.00051)


SEEDS, FOLDS = {"17": 0.9, "18": 0.92, "19": 0.88}, {"1": 0.75, "2": 0.85}


def test_the_spread_over_seeds_and_folds_stands_beside_the_score():
    report = synthetic.report(count=120, seeds=SEEDS, folds=FOLDS)
    page = Page(render_page(report))
    assert "Over 3 seeds: Accuracy 90.0\u202f% on average, standard deviation 2.0\u202f%, from 88" in page.text
    assert "Over 2 folds: Accuracy 80.0\u202f% on average" in page.text
    keys = {attributes["data-key"]: float(attributes["value"]) for tag, attributes in page.tags if tag == "data"}
    for name, values in (("seeds", SEEDS), ("folds", FOLDS)):
        assert {key: keys[f"{name}.values.{key}"] for key in values} == values
        assert keys[f"{name}.mean"] == at(report, f"{name}.mean")
    assert "The model is that of seed 17, the best on dev" in page.text


def test_without_seeds_and_folds_there_is_no_spread(made):
    assert 'id="spread"' not in render_page(made)


def test_rows_that_were_cut_are_among_those_used(made):
    rows = dict(ledger_rows(made.data.ledger))
    assert rows == {"rows read": "762", "rows used": "760, 20 of them cut at the model's length", "rows left out": "2"}
    assert ledger_rows({"read": 5, "kept": 5, "truncated": 0, "dropped": 0})[1] == ("rows used", "5")
    assert ledger_rows({}) == []
    for name, count in rows.items():
        assert f'<td>{name}</td><td class="number">{escape(count)}</td>' in render_page(made)


def test_texts_are_escaped(made):
    html = render_page(made)
    assert "<script" not in html
    assert synthetic.HOSTILE in Page(html).text


def test_hostile_names_are_escaped_everywhere():
    labels = ("<b>bold", "a\"b'c", "x&y")
    html = render_page(synthetic.report(labels=labels, count=120))
    page = Page(html)
    assert "b" not in {tag for tag, _attributes in page.tags}
    for label in labels:
        assert label in page.text
    known = {"data-key", "value", "class", "id", "lang"}
    assert all(name in known or tag not in {"td", "span", "data"} for tag, names in page.tags for name in names)


def test_texts_can_be_kept_out(made):
    without = render_page(synthetic.report(texts=False))
    assert "味道不错" in render_page(made)
    assert "味道不错" not in without
    assert "reviews.csv:2" in without
    assert "<blockquote>" not in without


def test_nothing_is_fetched(made):
    for tag, attributes in Page(render_page(made)).tags:
        assert tag not in {"script", "img", "iframe", "object", "embed", "base", "form"}
        assert "src" not in attributes
        assert (attributes.get("href") or "data:").startswith("data:")
        assert not any(name.startswith("on") for name in attributes)
    assert "url(" not in render_page(made)
    assert "@import" not in render_page(made)


def test_english():
    html = render_page(synthetic.report())
    assert '<html lang="en">' in html
    assert "Worse than the cheap baseline TF-IDF" in html


def test_chinese_speaks_chinese(made, monkeypatch, tmp_path):
    with (
        chinese(tmp_path, monkeypatch, {"Accuracy": "准确率", "{low} to {high}": "{low} 至 {high}"}),
        language("zh_CN"),
    ):
        html = render_page(made)
    assert '<html lang="zh-CN">' in html
    assert "准确率" in html
    assert "</data> 至 <data" in html


def test_dev_is_said_on_the_page():
    html = render_page(synthetic.report(split="dev", count=60))
    assert 'id="note"' in html
    assert "so it is optimistic" in html
    assert 'id="note"' not in render_page(synthetic.report())


def test_many_classes_get_a_list_instead_of_a_map():
    report = synthetic.report(labels=tuple(f"intent {index:02}" for index in range(31)), count=300)
    html = render_page(report)
    assert 'class="count' not in html
    gold, answer, _rows = report.confusion.largest[0]
    assert f'<td class="key">{gold}</td><td class="key">{answer}</td>' in html


def test_a_report_with_little_in_it_still_has_a_page(made):
    bare = made.model_copy(
        update={
            "baselines": {}, "curves": Curves(), "calibration": None, "confusion": None, "mistakes": [], "slices": [],
            "per_class": [], "recipe": "",
        }
    )  # fmt: skip
    page = Page(render_page(bare))
    assert "svg" not in {tag for tag, _attributes in page.tags}
    assert "None" not in page.text


def test_figures_read_well():
    assert plain(0.9123) == "91.2\u202f%"
    assert plain(-0.0312, signed=True) == "\u22123.1"
    assert plain(0.5, "mcc") == "0.500"
    assert metric_title("accuracy", multi_label=True) == "Accuracy (all labels right)"
    assert metric_title("some_metric") == "some metric"
