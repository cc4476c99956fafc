"""Mistakes in the recipe itself: names that do not exist, and values that cannot be."""

from tests.mistakes.cases import RECIPE, Case, data
from weitiao.tasks import TASKS

NAMES = "recipe names"
VALUES = "recipe values"
SECTIONS = "data, evaluation, folds, method, model, output, report, seed, seeds, task, tracking, training"


def case(name: str, problem: str, extra: str = "", *, recipe: str = RECIPE, group: str) -> Case:
    """A recipe with one error."""
    place = "" if problem.startswith("r.yaml") else "r.yaml:"
    return Case(name, group, [f"error {place}{problem}"], recipe + extra)


def named(name: str, problem: str, extra: str = "", *, recipe: str = RECIPE) -> Case:
    return case(name, problem, extra, recipe=recipe, group=NAMES)


def valued(name: str, problem: str, extra: str = "", *, recipe: str = RECIPE) -> Case:
    return case(name, problem, extra, recipe=recipe, group=VALUES)


def training(setting: str) -> str:
    return f"training: {{{setting}}}\n"


RECIPE_CASES = [
    named("section misspelt", "5: unknown key 'trainig'; did you mean 'training'?", "trainig: {epochs: 1}\n"),
    named("section unknown", f"5: unknown key 'zz'; expected one of: {SECTIONS}", "zz: 1\n"),
    named(
        "required section misspelt",
        "2: unknown key 'modle'; did you mean 'model'?",
        recipe=RECIPE.replace("model", "modle"),
    ),
    named("key misspelt", "6: unknown key 'training.epoch'; did you mean 'epochs'?", "training:\n  epoch: 1\n"),
    named(
        "objective misspelt",
        "6: unknown objective 'r-drop'; expected one of: fgm, lwf, plain, rdrop; did you mean 'rdrop'?",
        "training:\n  objective: r-drop\n",
    ),
    named(
        "objective's option misspelt",
        "8: unknown key 'training.objective.wieght'; did you mean 'weight'?",
        "training:\n  objective:\n    name: rdrop\n    wieght: 2\n",
    ),
    named(
        "tracker misspelt",
        "6: `tracking.trackers.0`: got 'tensorbord'; expected one of: tensorboard, wandb, mlflow, swanlab; "
        "did you mean 'tensorboard'?",
        "tracking:\n  trackers: [tensorbord]\n",
    ),
    named("key in the wrong section", "5: unknown key 'epochs'; expected one of: " + SECTIONS, "epochs: 3\n"),
    named(
        "model key misspelt",
        "2: unknown key 'model.heads'; did you mean 'head'?",
        recipe=RECIPE.replace("./m", "{name: ./m, heads: mean}"),
    ),
    named(
        "data key misspelt",
        "4: unknown key 'data.trian'; did you mean 'train'?",
        recipe=RECIPE.replace("train:", "trian:"),
    ),
    named(
        "task misspelt",
        f"1: unknown task 'clasify'; expected one of: {', '.join(TASKS)}; did you mean 'classify'?",
        recipe=RECIPE.replace("classify", "clasify"),
    ),
    named(
        "task unknown",
        f"1: unknown task 'ner'; expected one of: {', '.join(TASKS)}",
        recipe=RECIPE.replace("classify", "ner"),
    ),
    named(
        "task option misspelt",
        "1: unknown key 'task.multilabel'; did you mean 'multi_label'?",
        recipe=RECIPE.replace("task: classify", "task: {name: classify, multilabel: false}"),
    ),
    named(
        "method unknown",
        "5: unknown method 'freez'; expected one of: adalora, adapter, auto, bitfit, contrastive, freeze, full, "
        "gradual, head, ia3, lora, p_tuning, p_tuning_v2, prefix, prompt, zero_shot; did you mean 'freeze'?",
        "method: freez\n",
    ),
    named(
        "option of another method",
        "5: unknown key 'method.layers'; expected one of: cache, cache_precision, cost, solver",
        "method: {name: head, layers: 2}\n",
    ),
    named(
        "model is missing",
        "r.yaml: `model` is missing; add it to the recipe",
        recipe="task: classify\ndata: good.csv\n",
    ),
    named(
        "optimizer misspelt",
        "5: `training.optimizer`: got 'adamx'; expected one of: adamw, adam, sgd; did you mean 'adam'?",
        training("optimizer: adamx"),
    ),
    named(
        "baseline misspelt",
        "5: unknown baseline 'majorty'; expected one of: majority, tfidf; did you mean 'majority'?",
        "evaluation: {baselines: [majorty]}\n",
    ),
    valued("words of YAML 1.1", "5: `seed`: got 'yes'; expected a whole number", "seed: yes\n"),
    valued("text for a number", "5: `training.epochs`: got 'three'; expected a number", training("epochs: three")),
    valued(
        "negative", "5: `training.learning_rate`: got -0.0001; expected a number > 0", training("learning_rate: -1e-4")
    ),
    valued(
        "a fraction of a row", "5: `training.batch_size`: got 3.5; expected a whole number", training("batch_size: 3.5")
    ),
    valued("a list for a mapping", "5: `training`: got [1, 2]; expected a mapping", "training: [1, 2]\n"),
    valued("a number for text", "5: `output`: got 5; expected text", "output: 5\n"),
    valued("twice", "6: the key 'seed' is given twice; keep one of them", "seed: 1\nseed: 2\n"),
    valued("tab", "6: not valid YAML: a tab where spaces are expected; indent with spaces", "training:\n\tepochs: 1\n"),
    valued(
        "open bracket",
        "6: not valid YAML: the file ends inside a quote or bracket that is still open",
        "training: {epochs: 1\n",
    ),
    valued(
        "share as a percentage",
        "5: `evaluation.confidence`: got 95; expected a number < 1",
        "evaluation: {confidence: 95}\n",
    ),
    valued(
        "longer than the model reads",
        "5: `training.max_length` is 500, but the model reads at most 64 tokens",
        training("max_length: 500"),
    ),
    valued(
        "warm-up without end",
        "5: `training.warmup` takes 100 steps, but the whole of training has 6",
        training("warmup: 100"),
    ),
    valued(
        "more layers than there are",
        "5: `method.layers` is 9, but the model has 3 layers",
        "method: {name: freeze, layers: 9}\n",
    ),
    valued(
        "reinitialised and frozen",
        "2: `model.reinit_layers` starts 2 of 3 layers anew, but `method: freeze` keeps 2 from learning",
        "method: {name: freeze, layers: 2}\n",
        recipe=RECIPE.replace("./m", "{name: ./m, reinit_layers: 2}"),
    ),
    valued(
        "option of another head",
        "2: `model`: `hidden_layers` works only with `head: mean`; the stock head has its family's own layers",
        recipe=RECIPE.replace("./m", "{name: ./m, hidden_layers: [8]}"),
    ),
    valued(
        "threshold for one label",
        "1: `task`: `threshold` works only with `multi_label: true`",
        recipe=RECIPE.replace("task: classify", "task: {name: classify, threshold: 0.3}"),
    ),
    valued(
        "no effect",
        "5: `training.momentum` has no effect without `optimizer: sgd`; remove it",
        training("momentum: 0.5"),
    ),
    valued(
        "precision of no cache",
        "6: `method.cache_precision` has no effect without `cache: true`; remove it",
        recipe=RECIPE + "method: {name: freeze, layers: 1, cache: false,\n  cache_precision: fp32}\n",
    ),
    valued(
        "sheet of a csv",
        "5: `data.sheet` has no effect on csv; remove it",
        recipe=RECIPE + "  sheet: Sheet1\n",
    ),
    valued(
        "revision of a folder",
        "2: `model.revision` has no effect without a hub model (hf:owner/name, ms:owner/name); remove it",
        recipe=RECIPE.replace("model: ./m", "model: {name: ./m, revision: v2}"),
    ),
    valued(
        "patience without dev",
        "6: `training.patience` needs a dev split; set `data.dev`, such as 10%",
        training("patience: 2"),
        recipe=data("train: good.csv", "dev: null"),
    ),
    valued("more folds than rows", "5: `folds` is 300, but there are only 36 training rows", "folds: 300\n"),
    Case(
        "truncation",
        VALUES,
        [
            "warning r.yaml:5: 40 of 40 texts are longer than 5 tokens and lose their end, 16.7% of all tokens; "
            "raise training.max_length if the model allows, or shorten them"
        ],
        RECIPE + training("max_length: 5"),
    ),
]
