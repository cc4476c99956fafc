"""The model card: front matter that any YAML reader takes, the right way to load, no text of the data."""

import pytest
from ruamel.yaml import YAML

from tests.evaluation import synthetic
from weitiao.evaluation.card import render_card


@pytest.fixture(scope="module")
def made():
    return synthetic.report()


def front_matter(card: str):
    return YAML(typ="safe").load(card.split("---\n")[1])


def test_front_matter(made):
    matter = front_matter(render_card(made, head="stock", languages=["zh", "en"]))
    assert matter["license"] == "unknown"
    assert matter["language"] == ["zh", "en"]
    assert matter["pipeline_tag"] == "text-classification"
    metric = matter["model-index"][0]["results"][0]["metrics"][0]
    score = made.metrics["accuracy"]
    assert metric["value"] == score.value
    assert metric["name"] == f"accuracy, 95 % interval {score.low:.4f} to {score.high:.4f}"


def test_names_cannot_break_the_front_matter(made):
    odd = made.model_copy(update={"run": 'runs/"odd": [name]\n---'})
    assert front_matter(render_card(odd, head="stock"))["model-index"][0]["name"] == odd.run


def test_how_to_load_depends_on_the_head(made):
    stock, mean = render_card(made, head="stock"), render_card(made, head="mean")
    assert "pipeline(\"text-classification\", model='path/to/runs/reviews/model')" in stock
    assert "transformers import" not in mean
    assert "`mean` loads through weitiao, not in plain transformers:" in mean
    assert "weitiao.load('path/to/runs/reviews')" in stock
    assert "weitiao.load('path/to/runs/reviews')" in mean


def test_scores_stand_with_intervals_beside_baselines(made):
    card = render_card(made, head="stock")
    assert "| Accuracy | 96.8\u202f% |" in card
    assert "- Majority: Accuracy 32.0\u202f%; the model minus it: +64.8 points" in card
    assert "Worse than the cheap baseline TF-IDF" in card


def test_the_spread_over_seeds_and_folds_is_told():
    card = render_card(synthetic.report(count=60, seeds={"1": 0.5, "2": 0.7}, folds={"1": 0.6, "2": 0.6}), head="stock")
    assert "- Over 2 seeds: Accuracy 60.0\u202f% on average, standard deviation 14.1\u202f%, from 50" in card
    assert "- Over 2 folds: Accuracy 60.0\u202f% on average, standard deviation 0.0\u202f%" in card


def test_no_text_of_the_data_enters(made):
    card = render_card(made, head="stock")
    assert "味道不错" not in card
    assert "点单" not in card


def test_licences_are_as_given(made):
    assert "ask its maker before you pass it on" in render_card(made, head="stock")
    given = render_card(made, head="stock", license_name="apache-2.0", base_license="mit")
    assert front_matter(given)["license"] == "apache-2.0"
    assert "The pretrained model: mit." in given


def test_dev_scores_are_said_to_be_optimistic():
    assert "so it is optimistic" in render_card(synthetic.report(split="dev", count=60), head="stock")
