"""The recipe: what it accepts, what it refuses and in which words, and that it survives being written down."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Sequence
from importlib import resources
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from weitiao.errors import ProblemsFound
from weitiao.methods import METHOD_OPTIONS
from weitiao.recipe import (
    Recipe,
    TrainingSpec,
    dump_recipe,
    load_draft,
    load_recipe,
    quoted,
    recipe_schema,
    recipe_tree,
)
from weitiao.verbs.preparing.frame import frame

BASE = "task: classify\nmodel: ./m\ndata: reviews.csv\n"
FRAME = frame()


def load(tmp_path: Path, text: str | bytes, overrides: Sequence[str] = ()) -> Recipe:
    path = tmp_path / "r.yaml"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return load_recipe(path, FRAME, overrides)


def refused(tmp_path: Path, text: str | bytes, overrides: Sequence[str] = ()) -> list[str]:
    """The messages, without the folder of the file."""
    with pytest.raises(ProblemsFound) as caught:
        load(tmp_path, text, overrides)
    return [str(problem).replace(f"{tmp_path}/", "") for problem in caught.value.problems]


def test_short_forms_equal_long_forms(tmp_path: Path) -> None:
    long = "task: {name: classify}\nmodel: {name: ./m}\ndata: {file: reviews.csv}\nmethod: {name: full}\n"
    assert load(tmp_path, BASE) == load(tmp_path, long)


@pytest.mark.parametrize(
    ("written", "value"),
    [("2e-5", 2e-5), ("1E-3", 1e-3), (".5", 0.5), ("1.", 1.0), ("1", 1.0), ("+1e-4", 1e-4), ("0x10", 16.0)],
)
def test_yaml_1_2_numbers(tmp_path: Path, written: str, value: float) -> None:
    assert load(tmp_path, f"{BASE}training: {{learning_rate: {written}}}\n").training.learning_rate == value


@pytest.mark.parametrize("word", ["yes", "no", "on", "off", "NO", "y", "2024-01-31", "1:30", "0777x"])
def test_words_of_yaml_1_1_are_text(tmp_path: Path, word: str) -> None:
    assert load(tmp_path, f"{BASE}output: {word}\n").output == word


def test_byte_order_mark_crlf_and_missing_newline(tmp_path: Path) -> None:
    plain = load(tmp_path, BASE + "seed: 3")
    assert load(tmp_path, b"\xef\xbb\xbf" + (BASE + "seed: 3").replace("\n", "\r\n").encode()) == plain


def test_anchors_and_merged_keys(tmp_path: Path) -> None:
    text = (
        "task: classify\nmodel: ./m\ndata: a.csv\ntraining: &t {epochs: 2}\nmethod:\n  name: freeze\n  layers: &n 2\n"
    )
    assert load(tmp_path, text + "seed: *n\n").seed == 2
    merged = text + "evaluation:\n  <<: *t\n  resamples: 200\n"
    assert refused(tmp_path, merged) == [
        "r.yaml:8: unknown key 'evaluation.epochs'; expected one of: baselines, confidence, resamples"
    ]


def test_a_choice_inside_a_section(tmp_path: Path) -> None:
    short = load(tmp_path, BASE + "training:\n  objective: rdrop\n")
    assert short == load(tmp_path, BASE + "training: {objective: {name: rdrop, weight: 1.0}}\n")
    assert load_recipe(recipe_tree(short), FRAME) == short
    assert load(tmp_path, BASE, ["training.objective=rdrop"]) == short
    heavier = load(tmp_path, BASE + "training: {objective: rdrop}\n", ["training.objective.weight=2"])
    assert heavier.training.objective is not None
    assert heavier.training.objective.options.model_dump() == {"weight": 2.0}
    assert load(tmp_path, BASE + "training: {objective: null}\n").training == TrainingSpec()


@pytest.mark.parametrize(
    ("objective", "message"),
    [
        ("3", "`training.objective` must be a name, or a mapping with `name`; got 3"),
        ("{weight: 2}", "`training.objective` must be a name, or a mapping with `name`; got a mapping without it"),
        ("{name: fgm, epsilon: 0}", "`training.objective.epsilon`: got 0; expected a number > 0"),
    ],
)
def test_a_choice_inside_a_section_that_cannot_be(tmp_path: Path, objective: str, message: str) -> None:
    assert refused(tmp_path, f"{BASE}training: {{objective: {objective}}}\n") == [f"r.yaml:4: {message}"]


@pytest.mark.parametrize(
    ("task", "model", "reason"),
    [
        ("span", "./m", "compares two distributions over one answer, and the task 'span' answers with none"),
        ("{name: tag, crf: true}", "./m", "and a CRF answers with a whole sequence; set task.crf=false"),
        ("{name: regress, loss: ranking}", "./m", "and the loss 'ranking' compares the rows of a step; take another"),
        ("embed", "./m", "and the task 'embed' answers with none"),
        ("classify", "{name: ./m, dropout: 0}", "needs dropout, and `model.dropout` is 0; raise it, such as 0.1"),
    ],
)
def test_r_drop_where_it_makes_no_sense(tmp_path: Path, task: str, model: str, reason: str) -> None:
    text = f"task: {task}\nmodel: {model}\ndata: reviews.csv\ntraining: {{objective: rdrop}}\n"
    (message,) = refused(tmp_path, text)
    assert reason in message


def test_empty_sections_mean_their_defaults(tmp_path: Path) -> None:
    assert load(tmp_path, BASE + "training:\nevaluation:\nreport:\n") == load(tmp_path, BASE)


@pytest.mark.parametrize(
    ("text", "messages"),
    [
        ("", ["r.yaml:1: a recipe is a mapping of keys such as `task:` and `data:`; got nothing"]),
        ("- a\n", ["r.yaml:1: a recipe is a mapping of keys such as `task:` and `data:`; got a list"]),
        ("reviews\n", ["r.yaml:1: a recipe is a mapping of keys such as `task:` and `data:`; got text"]),
        (b"task: \xff\n", ["r.yaml: the recipe is not UTF-8 (byte 7); save it as UTF-8"]),
        (
            "task: classify\nmodel:\n\tname: m\n",
            ["r.yaml:3: not valid YAML: a tab where spaces are expected; indent with spaces"],
        ),
        (BASE + "seed: 1\nseed: 2\n", ["r.yaml:5: the key 'seed' is given twice; keep one of them"]),
        (BASE + "output: *runs\n", ["r.yaml:4: '*runs' refers to nothing; put text that starts with * in quotes"]),
        (
            BASE + "output: a: b\n",
            [
                "r.yaml:4: not valid YAML: a second `: ` on the line, or wrong indentation; "
                "put text that holds `: ` in quotes"
            ],
        ),
        (
            BASE + "output: @here\n",
            ["r.yaml:4: not valid YAML: text cannot begin with this character; put it in quotes"],
        ),
        (
            BASE + "training: {epochs: 3\n",
            ["r.yaml:5: not valid YAML: the file ends inside a quote or bracket that is still open"],
        ),
        (BASE + "---\n" + BASE, ["r.yaml:4: not valid YAML: a second document (`---`); a recipe is one"]),
    ],
)
def test_what_is_no_recipe_file(tmp_path: Path, text: str | bytes, messages: list[str]) -> None:
    assert refused(tmp_path, text) == messages


@pytest.mark.parametrize("name", ["export.csv", "with space.XLSX", "rows.jsonl", "rows.json"])
def test_data_given_as_a_recipe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.chdir(tmp_path)
    Path(name).write_text('[{"text": "good", "label": "x"}]\n', "utf-8")
    shown = f"'{name}'" if " " in name else name
    with pytest.raises(ProblemsFound) as caught:
        load_recipe(name, FRAME)
    assert str(caught.value) == (
        f"{name}: looks like data, where a recipe is expected; "
        f"write one for it with: weitiao new classify --data {shown}"
    )


def test_a_recipe_may_be_json(tmp_path: Path) -> None:
    path = tmp_path / "recipe.json"
    path.write_text('{"task": "classify", "model": "./m", "data": "reviews.csv"}')
    assert load_recipe(path, FRAME).data.file == "reviews.csv"


@pytest.mark.parametrize("value", [",", "|", "[", "it's"])
def test_the_shell_form_that_a_message_shows_reads_back(tmp_path: Path, value: str) -> None:
    shown = f'data.delimiter="{quoted(value)}"'
    assert load(tmp_path, BASE, shlex.split(shown)).data.delimiter == value


def test_missing_file(tmp_path: Path) -> None:
    with pytest.raises(ProblemsFound) as caught:
        load_recipe(tmp_path / "no.yaml", FRAME)
    assert str(caught.value).endswith(
        "no.yaml: the recipe cannot be read (No such file or directory); expected a YAML file"
    )


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("seed: yes", "`seed`: got 'yes'; expected a whole number"),
        ("seed: true", "`seed`: got true; expected a whole number"),
        ("seed: '17'", "`seed`: got '17'; expected a whole number"),
        ("seed: 1.5", "`seed`: got 1.5; expected a whole number"),
        ("seed: -1", "`seed`: got -1; expected a number >= 0"),
        ("seeds: 0", "`seeds`: got 0; expected a number >= 1"),
        ("folds: 1", "`folds`: got 1; expected a number >= 2"),
        ("seed:", "`seed`: got null; expected a whole number"),
        ("output: 5", "`output`: got 5; expected text"),
        ("output: ''", "`output`: got ''; expected some text"),
        ("training: 3", "`training`: got 3; expected a mapping"),
        ("training: [1]", "`training`: got [1]; expected a mapping"),
        ("training: {epochs: three}", "`training.epochs`: got 'three'; expected a number"),
        ("training: {epochs: true}", "`training.epochs`: got true; expected a number"),
        ("training: {epochs: 0}", "`training.epochs`: got 0; expected a number > 0"),
        ("training: {epochs: .inf}", "`training.epochs`: got Infinity; expected a number"),
        ("training: {batch_size: 8.5}", "`training.batch_size`: got 8.5; expected a whole number"),
        ("training: {betas: [0.9]}", "`training.betas`: got [0.9]; expected at least 2 items"),
        ("training: {betas: [0.9, 0.99, 0.999]}", "`training.betas`: got [0.9, 0.99, 0.999]; expected at most 2 items"),
        ("training: {betas: 0.9}", "`training.betas`: got 0.9; expected a list"),
        ("training: {gradient_checkpointing: 1}", "`training.gradient_checkpointing`: got 1; expected true or false"),
        (
            "training: {optimizer: adamm}",
            "`training.optimizer`: got 'adamm'; expected one of: adamw, adam, sgd; did you mean 'adam'?",
        ),
        (
            "training: {warmup: 2.5}",
            "`training.warmup`: got 2.5; expected a share below 1 or a whole number of steps",
        ),
        (
            "training: {warmup: 50, max_steps: 40}",
            "`training`: `warmup` takes 50 steps, but `max_steps` ends training after 40",
        ),
        ("training: {max_length: 4}", "`training.max_length`: got 4; expected a number > 4"),
        ("method: 5", "`method` must be a name, or a mapping with `name`; got 5"),
        ("method: {layers: 2}", "`method` must be a name, or a mapping with `name`; got a mapping without it"),
        (
            "method: fulll",
            "unknown method 'fulll'; expected one of: "
            f"{', '.join(sorted(['auto', *METHOD_OPTIONS]))}; did you mean 'full'?",
        ),
        ("method: {name: freeze, layers: -1}", "`method.layers`: got -1; expected a number >= 0"),
        ("method: {name: full, layers: 2}", "unknown key 'method.layers'; there are no options here"),
        ("evaluation: {confidence: 95}", "`evaluation.confidence`: got 95; expected a number < 1"),
        (
            "evaluation: {baselines: [tfidff]}",
            "unknown baseline 'tfidff'; expected one of: majority, tfidf; did you mean 'tfidf'?",
        ),
        ("report: {language: zh}", "`report.language`: got 'zh'; expected one of: en, zh_CN; did you mean 'zh_CN'?"),
        ("training: {momentum: 0.5}", "`training.momentum` has no effect without `optimizer: sgd`; remove it"),
        (
            "training: {optimizer: sgd, betas: [0.8, 0.9]}",
            "`training.betas` has no effect without `optimizer: adamw`; remove it",
        ),
        (
            "training: {schedule_power: 3}",
            "`training.schedule_power` has no effect without `schedule: polynomial`; remove it",
        ),
    ],
)
def test_one_mistake_one_sentence_with_its_line(tmp_path: Path, line: str, message: str) -> None:
    found = refused(tmp_path, BASE + line + "\n")
    assert found == [f"r.yaml:4: {message}"]


@pytest.mark.parametrize(
    ("text", "messages"),
    [
        (
            "model: ./m\ndata: a.csv\n",
            ["r.yaml: `task` is missing; add it to the recipe"],
        ),
        (
            "task: classify\n",
            [
                "r.yaml: `model` is missing; add it to the recipe",
                "r.yaml: `data` is missing; add it to the recipe",
            ],
        ),
        (
            "task: classify\nmodel: {head: mean}\ndata: {dev: 10%}\n",
            [
                "r.yaml:2: `model.name` is missing; add it to the recipe",
                "r.yaml:3: `data`: no training rows; give `train`, or `file` with every split in it",
            ],
        ),
        (
            "task: classify\nmodel: ./m\ndata: {train: a, file: b}\n",
            ["r.yaml:3: `data`: `train` and `file` are both given; keep one of them"],
        ),
        (
            "task: classify\nmodel: ./m\ndata:\n  train: 5\n  dev: 100%\n  limit: {trian: 3}\n",
            [
                "r.yaml:4: `data.train`: got 5; expected text or a list",
                "r.yaml:5: `data.dev`: a share lies between 0% and 100%; got 100%",
                "r.yaml:6: `data.limit`: 'trian' is not a split; expected train, dev or test",
            ],
        ),
        (
            "task: {name: classify, threshold: 0.4}\nmodel: {name: m, hidden_layers: [5]}\ndata: a\n",
            [
                "r.yaml:1: `task`: `threshold` works only with `multi_label: true`",
                "r.yaml:2: `model`: `hidden_layers` works only with `head: mean`; "
                "the stock head has its family's own layers",
            ],
        ),
        (
            "task: {name: classify, labels: [a, a]}\nmodel: m\ndata: a\n",
            ["r.yaml:1: `task.labels`: 'a' is listed twice"],
        ),
        (
            "task: {name: classify, labels: [a]}\nmodel: m\ndata: a\n",
            ['r.yaml:1: `task.labels`: got ["a"]; expected at least 2 items'],
        ),
        (
            "task: {name: classify, multi_label: true}\nmodel: m\ndata: a\ntraining: {label_smoothing: 0.1}\n",
            ["r.yaml:4: `training.label_smoothing` works only with one label a text; remove it, or `multi_label`"],
        ),
        (
            "task: classify\nmodel: {name: m, reinit_layers: 1}\ndata: a\nmethod: head\ntraining: {layer_decay: 0.9}\n",
            [
                "r.yaml:2: `model.reinit_layers` starts layers anew, but `method: head` keeps them from learning",
                "r.yaml:5: `training.layer_decay` needs layers that learn; `method: head` freezes them all",
            ],
        ),
        (
            "task: classify\nmodel: m\ndata: {train: a, dev: null}\ntraining: {patience: 2, stop_at: 0.9}\n",
            [
                "r.yaml:4: `training.patience` needs a dev split; set `data.dev`, such as 10%",
                "r.yaml:4: `training.stop_at` needs a dev split; set `data.dev`, such as 10%",
            ],
        ),
        (
            "task: classify\nmodel: m\ndata: {train: a, dev: null}\nfolds: 5\ntraining: {metric: loss}\n",
            ["r.yaml:5: `training.metric` needs a dev split; set `data.dev`, such as 10%"],
        ),
    ],
)
def test_sections_and_how_they_fit(tmp_path: Path, text: str, messages: list[str]) -> None:
    assert refused(tmp_path, text) == messages


def test_every_mistake_at_once_in_the_order_of_the_file(tmp_path: Path) -> None:
    text = "task: clasify\nmodel: {name: ./m, hed: mean}\ndata: {train: a, feilds: {}}\n"
    text += "training:\n  epocs: 3\n  order: longest\nsed: 1\n"
    found = refused(tmp_path, text)
    assert [message.split(";")[0] for message in found] == [
        "r.yaml:1: unknown task 'clasify'",
        "r.yaml:2: unknown key 'model.hed'",
        "r.yaml:3: unknown key 'data.feilds'",
        "r.yaml:5: unknown key 'training.epocs'",
        "r.yaml:6: `training.order`: got 'longest'",
        "r.yaml:7: unknown key 'sed'",
    ]


def test_unknown_metric_names_all_and_the_nearest(tmp_path: Path) -> None:
    (message,) = refused(tmp_path, BASE + "training: {metric: macro-f1}\n")
    assert message.startswith("r.yaml:4: unknown metric 'macro-f1'; expected one of: accuracy, macro_f1, ")
    assert message.endswith("; did you mean 'macro_f1'?")


def test_a_misspelt_key_is_not_also_missing(tmp_path: Path) -> None:
    assert refused(tmp_path, "task: classify\nmodle: ./m\ndata: a.csv\n") == [
        "r.yaml:2: unknown key 'modle'; did you mean 'model'?"
    ]


def test_a_draft_goes_on_with_what_was_probably_meant(tmp_path: Path) -> None:
    path = tmp_path / "r.yaml"
    path.write_text(
        "task: clasify\nmodel: ./m\ndata: {trian: a.csv, fields: {text: x}}\ntraining: {epocs: 7, order: no}\n"
    )
    draft = load_draft(path, FRAME)
    assert (draft.recipe.task.name, draft.recipe.model.name) == ("classify", "./m")
    assert (draft.recipe.data.train, draft.recipe.data.fields) == ("a.csv", {"text": "x"})
    assert (draft.recipe.training.epochs, draft.recipe.training.order) == (7, "grouped")
    assert draft.doubtful == {("training", "order")}


@pytest.mark.parametrize(
    ("override", "check"),
    [
        ("training.epochs=5", lambda recipe: recipe.training.epochs == 5),
        ("training.learning_rate=2e-5", lambda recipe: recipe.training.learning_rate == 2e-5),
        ("training.clip=null", lambda recipe: recipe.training.clip is None),
        ("model.head=mean", lambda recipe: (recipe.model.name, recipe.model.head) == ("./m", "mean")),
        (
            "data.encoding=gb18030",
            lambda recipe: (recipe.data.file, recipe.data.encoding) == ("reviews.csv", "gb18030"),
        ),
        ("method=freeze", lambda recipe: recipe.method.name == "freeze"),
        ("method.layers=2", lambda recipe: False),
        ("task.multi_label=true", lambda recipe: recipe.task.options.multi_label),
        ("data.fields={text: 1}", lambda recipe: recipe.data.fields == {"text": 1}),
        ("output='runs/a=b'", lambda recipe: recipe.output == "runs/a=b"),
        ("data=[a.csv, b.csv]", lambda recipe: recipe.data.file == ["a.csv", "b.csv"]),
    ],
)
def test_overrides(tmp_path: Path, override: str, check: Any) -> None:
    if override == "method.layers=2":
        assert refused(tmp_path, BASE, [override]) == [
            "command line: `method` must be a name, or a mapping with `name`; got a mapping without it"
        ]
    else:
        assert check(load(tmp_path, BASE, [override]))


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("epochs", "'epochs' is not an override; expected key=value such as training.epochs=5"),
        ("a b=1", "'a b=1' is not an override; expected key=value such as training.epochs=5"),
        ("output=[", "the value of 'output=[' is not valid YAML; put it in quotes, in a shell as output=\"'['\""),
        (
            "data.delimiter=,",
            "the value of 'data.delimiter=,' is not valid YAML; put it in quotes, in a shell as data.delimiter=\"','\"",
        ),
        (
            "task.separator=|",
            "the value of 'task.separator=|' is not valid YAML; put it in quotes, in a shell as task.separator=\"'|'\"",
        ),
        ("data.test=0.2", "`data.test`: got 0.2; write a share as 20%"),
        ("data.dev=15", "`data.dev`: got 15; write a share as 15%"),
        ("data.dev=0.07", "`data.dev`: got 0.07; write a share as 7%"),
        ("data.dev=-1", "`data.dev`: got -1; expected text or a list"),
        ("data.dev=true", "`data.dev`: got true; expected text or a list"),
        ("training.epoch=5", "unknown key 'training.epoch'; did you mean 'epochs'?"),
        ("training.epochs=", "`training.epochs`: got ''; expected a number"),
    ],
)
def test_mistaken_overrides(tmp_path: Path, override: str, message: str) -> None:
    assert refused(tmp_path, BASE, [override]) == [f"command line: {message}"]


def test_the_line_of_what_an_override_replaced_is_forgotten(tmp_path: Path) -> None:
    found = refused(tmp_path, BASE + "training: {epochs: 3}\n", ["training={epochs: -1}"])
    assert found == ["command line: `training.epochs`: got -1; expected a number > 0"]


def test_python_values_are_taken(tmp_path: Path) -> None:
    import numpy as np

    recipe = load_recipe(
        {
            "task": "classify",
            "model": {"name": tmp_path, "head": "mean", "hidden_layers": (16,)},
            "data": {"train": [tmp_path / "a.csv"], "splits": {"test": 1}},
            "seed": np.int64(3),
        },
        FRAME,
    )
    assert (recipe.model.name, recipe.model.hidden_layers, recipe.seed) == (str(tmp_path), (16,), 3)
    assert (recipe.data.train, recipe.data.splits) == ([str(tmp_path / "a.csv")], {"test": ["1"]})


def test_a_recipe_without_end_is_refused() -> None:
    endless: dict[str, Any] = {"task": "classify"}
    endless["data"] = endless
    with pytest.raises(ProblemsFound, match="the recipe is nested more than 20 levels deep"):
        load_recipe(endless, FRAME)


@pytest.mark.parametrize(
    "extra",
    ["", "method: {name: freeze, layers: 2}\n", "training: {warmup: 20, clip: null, betas: [0.8, 0.9]}\nfolds: 5\n"],
)
def test_the_resolved_recipe_reads_back_to_the_same(tmp_path: Path, extra: str) -> None:
    recipe = load(tmp_path, BASE + extra)
    again = load(tmp_path, dump_recipe(recipe))
    assert again == recipe
    assert dump_recipe(again) == dump_recipe(recipe)


def test_the_share_of_rows_that_may_go_is_written_as_a_percentage_too(tmp_path: Path) -> None:
    assert load(tmp_path, BASE, ["data.max_dropped=5%"]).data.max_dropped == 0.05
    assert load(tmp_path, BASE, ["data.max_dropped=0.05"]).data.max_dropped == 0.05
    assert refused(tmp_path, BASE, ["data.max_dropped=500%"])
    assert refused(tmp_path, BASE, ["data.max_dropped=five"])


def test_a_default_dev_share_is_not_written_as_a_wish(tmp_path: Path) -> None:
    assert "dev" not in load(tmp_path, dump_recipe(load(tmp_path, BASE))).data.model_fields_set
    wished = load(tmp_path, BASE, ["data.dev=10%"])
    assert "dev" in load(tmp_path, dump_recipe(wished)).data.model_fields_set


READY = sorted(path.name for path in (resources.files("weitiao") / "recipes").iterdir() if path.name.endswith(".yaml"))


@pytest.mark.parametrize("name", READY)
def test_ready_recipes_load(name: str) -> None:
    with resources.as_file(resources.files("weitiao") / "recipes" / name) as path:
        recipe = load_recipe(path, FRAME)
        assert path.read_text("utf-8").startswith("# ")
    assert recipe.output == f"runs/{name.removesuffix('.yaml')}"


def test_there_are_ready_recipes() -> None:
    assert {"classify-zh.yaml", "classify-en.yaml", "classify-pairs.yaml", "linear-probe.yaml"} <= set(READY)
    assert {"classify-multilabel.yaml", "classify-frozen.yaml"} <= set(READY)


def test_every_key_is_described() -> None:
    schema = recipe_schema(FRAME)
    sections = {"training", "evaluation", "report", "tracking"}
    nameless = [
        key for key, value in schema["properties"].items() if not value.get("description") and key not in sections
    ]
    for name, model in schema["$defs"].items():
        nameless += [f"{name}.{key}" for key, value in model["properties"].items() if not value.get("description")]
    assert nameless == []
    assert schema["required"] == ["task", "model", "data"]
    json.dumps(schema)


JUNK = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=5), st.lists(st.integers(), max_size=3),
    st.dictionaries(st.text(max_size=3), st.integers(), max_size=2), st.binary(max_size=2),
)  # fmt: skip
PATHS = [
    *(("training", key) for key in TrainingSpec.model_fields),
    *(("data", key) for key in ("file", "train", "dev", "test", "fields", "splits", "limit", "header", "max_dropped")),
    *(("model", key) for key in ("name", "head", "hidden_layers", "dropout")),
    *(("task", key) for key in ("name", "labels", "multi_label", "class_weights", "separator", "threshold")),
    ("method", "name"), ("method", "layers"), ("seed",), ("seeds",), ("folds",), ("output",),
    ("evaluation",), ("report",), ("task",), ("data",), ("model",), ("method",),
]  # fmt: skip
FOREIGN = re.compile(r"Input should|validation error|pydantic|Value error|type=|_type|_parsing|Traceback")


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.tuples(st.sampled_from(PATHS), JUNK), min_size=1, max_size=3))
def test_whatever_is_written_the_words_are_ours_and_a_draft_comes_out(
    mistakes: list[tuple[tuple[str, ...], Any]],
) -> None:
    raw: dict[str, Any] = {
        "task": {"name": "classify"}, "model": {"name": "m"}, "data": {"train": "a"}, "method": {"name": "freeze"},
        "training": {},
    }  # fmt: skip
    for path, value in mistakes:
        node = raw
        for key in path[:-1]:
            node = node[key] if isinstance(node.get(key), dict) else node.setdefault("other", {})
        node[path[-1]] = value
    draft = load_draft(raw, FRAME)
    assert isinstance(draft.recipe, Recipe)
    for problem in draft.problems:
        assert not FOREIGN.search(problem.message), problem.message
        assert problem.message.count("{") == problem.message.count("}") or "got" in problem.message


@pytest.mark.parametrize("written", ["lwf", "{name: lwf}", "lwff"])
def test_a_choice_whose_options_have_no_default_says_which_is_missing(tmp_path: Path, written: str) -> None:
    (said,) = refused(tmp_path, f"{BASE}training:\n  objective: {written}\n")
    assert ("unknown objective 'lwff'" if written == "lwff" else "teacher") in said
