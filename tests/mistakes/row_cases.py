"""Mistakes in what rows mean: their columns, their labels, their splits."""

from collections.abc import Callable

from tests.mistakes.cases import RECIPE, Case, csv, data, planted, rows

COLUMNS = "columns"
LABELS = "labels"
SPLITS = "splits"
Table = list[tuple[str, ...]]
WITH_SPLITS = csv(
    [(text, label, ("train", "train", "test", "dev")[i % 4]) for i, (text, label) in enumerate(rows(80))],
    "text,label,split",
)
OTHER = "quite another story"


def fields(mapping: str) -> str:
    return data("train: good.csv", f"fields: {{{mapping}}}")


def task(options: str) -> str:
    return RECIPE.replace("task: classify", f"task: {{name: classify, {options}}}")


def labelled(label: str, *places: int) -> dict[str, str]:
    """good.csv with `label` in the given rows."""

    def change(table: Table) -> None:
        for place in places:
            table[place] = (table[place][0], label)

    return {"good.csv": planted(change)}


def changed(place: int, text: str) -> Callable[[Table], None]:
    """Another text in one row."""

    def change(table: Table) -> None:
        table[place] = (text, table[place][1])

    return change


def jsonl(line: str) -> dict[str, str]:
    return {"a.jsonl": "".join(line % row + "\n" for row in rows())}


def faulty(count: int, first: int, reasons: str, file: str = "good.csv") -> str:
    return (
        f"error {file}:{first}: {count} of 40 rows cannot be used, more than data.max_dropped = 1.00% allows "
        f"({reasons}); repair them, or let them go with data.max_dropped={count / 40:g}"
    )


CELLS = ("a", "b", "c", "a;b", "b;c", "c;a")
SEVERAL = {"good.csv": csv([(text, CELLS[index % 6]) for index, (text, _label) in enumerate(rows())])}

COLUMN_CASES = [
    Case(
        "no known names",
        COLUMNS,
        [
            "error good.csv: no column for the field `text`; name it in the recipe, such as data.fields.text=words; "
            "the columns are: words, mood",
            "error good.csv: no column for the field `label`; name it in the recipe, such as data.fields.label=mood; "
            "the columns are: words, mood",
        ],
        files={"good.csv": csv(rows(), "words,mood")},
    ),
    Case(
        "no label, and one column to spare",
        COLUMNS,
        [
            "error good.csv: no column for the field `label`; name it in the recipe, such as data.fields.label=mood; "
            "the columns are: id, text, mood"
        ],
        files={"good.csv": csv([(str(n), *row) for n, row in enumerate(rows())], "id,text,mood")},
    ),
    Case(
        "column misspelt",
        COLUMNS,
        ["error good.csv: no column 'txet' for the field `text`; did you mean 'text'?; the columns are: text, label"],
        fields("text: txet"),
    ),
    Case(
        "label column misspelt",
        COLUMNS,
        [
            "error good.csv: no column 'labell' for the field `label`; did you mean 'label'?; the columns are: "
            "text, label"
        ],
        fields("label: labell"),
    ),
    Case(
        "number too high",
        COLUMNS,
        ["error good.csv: `data.fields.label` is column 3, but there are 2: text, label"],
        fields("label: 3"),
    ),
    Case(
        "counted from 0",
        COLUMNS,
        ["error good.csv: `data.fields.label` is column 0, but there are 2: text, label"],
        fields("label: 0"),
    ),
    Case(
        "field misspelt",
        COLUMNS,
        [
            "error r.yaml:3: `data.fields` names 'lable', which the task does not read; expected: text, text_pair, "
            "label, group, split; did you mean 'label'?"
        ],
        fields("lable: label"),
    ),
    Case(
        "no group column",
        COLUMNS,
        ["error good.csv: no column 'user' for the field `group`; the columns are: text, label"],
        fields("group: user"),
    ),
    Case(
        "one column for two fields",
        COLUMNS,
        ["error r.yaml:5: `data.fields` takes the column 'label' for both `text` and `label`"],
        fields("text: label, label: label"),
    ),
    Case(
        "wrong delimiter",
        COLUMNS,
        [
            f"error good.csv: no column for the field `{field}`; name it in the recipe, such as data.fields.{field}=1; "
            "the columns are: 1 ('text,label')"
            for field in ("text", "label")
        ],
        data("train: good.csv", 'delimiter: ";"'),
    ),
    Case(
        "header denied",
        COLUMNS,
        [
            "error good.csv: no column 'text' for the field `text`; the columns are: 1 ('text'), 2 ('label')",
            "error good.csv: no column 'label' for the field `label`; the columns are: 1 ('text'), 2 ('label')",
        ],
        data("train: good.csv", "header: false", "fields: {text: text, label: label}"),
    ),
    Case(
        "no such inner key",
        COLUMNS,
        [
            "error a.jsonl: no column 'body.txt' for the field `text`; did you mean 'body'?; the columns are: "
            "body, label"
        ],
        data("train: a.jsonl", "fields: {text: body.txt}"),
        jsonl('{"body": {"text": "%s"}, "label": "%s"}'),
    ),
    Case(
        "lists for texts",
        COLUMNS,
        [
            faulty(
                40,
                1,
                "; ".join(f"line {n}: a list where text is expected" for n in range(1, 6)) + "; and 35 more",
                "a.jsonl",
            )
        ],
        data("train: a.jsonl"),
        jsonl('{"text": ["%s"], "label": "%s"}'),
    ),
    Case(
        "names twice",
        COLUMNS,
        ["warning good.csv:1: several columns are named 'label'; the later ones are called 'label#2' and so on"],
        files={"good.csv": csv([(text, label, label) for text, label in rows()], "text,label,label")},
    ),
]

LABEL_CASES = [
    Case(
        "not among the listed",
        LABELS,
        ["error good.csv:17: label 'POSITVE' is not one of NEG, POS; did you mean 'POS'?"],
        task("labels: [NEG, POS]"),
        labelled("POSITVE", 15),
    ),
    Case(
        "nothing like the listed",
        LABELS,
        ["error good.csv:17: label 'meh' is not one of NEG, POS"],
        task("labels: [NEG, POS]"),
        labelled("meh", 15),
    ),
    Case(
        "slip in training",
        LABELS,
        [
            "warning good.csv:61: label 'POSITVE' (1 row) looks like a slip of 'POSITIVE' (27 rows)",
            "warning good.csv:61: 1 class has fewer than 5 training rows: POSITVE (1, line 61); collect more or "
            "merge it",
        ],
        files={
            "good.csv": csv(
                [(text, {"POS": "NEGATIVE", "NEG": "POSITIVE"}[label]) for text, label in rows(59)]
                + [(OTHER, "POSITVE")]
            )
        },
    ),
    Case(
        "slip in a short Chinese label",
        LABELS,
        [
            "warning good.csv:61: label '好坪' (1 row) looks like a slip of '好评' (27 rows)",
            "warning good.csv:61: 1 class has fewer than 5 training rows: 好坪 (1, line 61); collect more or merge it",
        ],
        files={
            "good.csv": csv(
                [(text, {"POS": "差评", "NEG": "好评"}[label]) for text, label in rows(59)] + [(OTHER, "好坪")]
            )
        },
    ),
    Case(
        "another case",
        LABELS,
        [
            "warning good.csv:17: label 'pos' (1 row) differs from 'POS' (17 rows) only by case, space or "
            "full-width form",
            "warning good.csv:17: 1 class has fewer than 5 training rows: pos (1, line 17); collect more or merge it",
        ],
        files=labelled("pos", 15),
    ),
    Case(
        "full-width letters",
        LABELS,
        [
            "warning good.csv:17: label 'ＰＯＳ' (1 row) differs from 'POS' (17 rows) only by case, space or "
            "full-width form",
            "warning good.csv:17: 1 class has fewer than 5 training rows: ＰＯＳ (1, line 17); collect more or "
            "merge it",
        ],
        files=labelled("ＰＯＳ", 15),
    ),
    Case(
        "one class",
        LABELS,
        [
            "error good.csv: classification needs at least two classes, and the training rows have 1: 'POS'; "
            "check `data.fields.label` and the file"
        ],
        files={"good.csv": csv([(text, "POS") for text, _label in rows()])},
    ),
    Case("empty labels", LABELS, [faulty(2, 5, "line 5: no label; line 6: no label")], files=labelled("", 3, 4)),
    Case("empty text", LABELS, [faulty(1, 5, "line 5: empty text")], files={"good.csv": planted(changed(3, "  "))}),
    Case(
        "hardly any rows",
        LABELS,
        ["warning good.csv:5: 1 class has fewer than 5 training rows: MEH (2, lines 5, 6); collect more or merge it"],
        files=labelled("MEH", 3, 4),
    ),
    Case(
        "free text for labels",
        LABELS,
        ["warning good.csv: 36 different labels in 36 training rows; is `data.fields.label` the right column?"],
        files={"good.csv": csv([(text, text[::-1]) for text, _label in rows()])},
    ),
    Case(
        "several labels",
        LABELS,
        [
            faulty(
                40,
                1,
                "; ".join(
                    f"line {n}: 2 labels where one is expected (for several, set `multi_label: true`)"
                    for n in range(1, 6)
                )
                + "; and 35 more",
                "a.jsonl",
            )
        ],
        data("train: a.jsonl"),
        jsonl('{"text": "%s", "label": ["%s", "X"]}'),
    ),
    Case(
        "several labels in a cell",
        LABELS,
        [
            "warning good.csv:5: 'a;b' and 2 other labels look like several labels in one cell, parted by ';'; "
            "set task.multi_label=true and task.separator=';'"
        ],
        data("train: good.csv", "dev: null"),
        SEVERAL,
    ),
    Case(
        "several labels with another separator",
        LABELS,
        [
            "warning good.csv:5: 'a;b' and 2 other labels look like several labels in one cell, parted by ';'; "
            "set task.separator=';'"
        ],
        data("train: good.csv", "dev: null").replace("classify", "{name: classify, multi_label: true}"),
        SEVERAL,
    ),
    Case(
        "another separator",
        LABELS,
        ["warning good.csv: `multi_label: true`, but no training row has more than one label; check `task.separator`"],
        task('multi_label: true, separator: ";"'),
    ),
    Case(
        "weight of no label",
        LABELS,
        [
            "error r.yaml:1: `task.class_weights` names the label 'NGE', which is not one of NEG, POS; did you "
            "mean 'NEG'?"
        ],
        task("class_weights: {POS: 2, NGE: 1}"),
    ),
    Case(
        "label that train lacks",
        LABELS,
        ["warning test.csv:2: label 'POSS' (1 row in test) is not among the training labels; did you mean 'POS'?"],
        data("train: good.csv", "test: test.csv"),
        {"test.csv": csv([(OTHER, "POSS"), ("an unheard tale", "POS")])},
    ),
]

SPLIT_CASES = [
    Case(
        "duplicate",
        SPLITS,
        ["warning good.csv:42: 1 row of train repeats an earlier row: good.csv:5"],
        files={"good.csv": planted(lambda table: table.append(table[3]))},
    ),
    Case(
        "leak",
        SPLITS,
        ["warning test.csv:2: 2 of 3 rows of test are also in train; the first is at good.csv:2"],
        data("train: good.csv", "test: test.csv"),
        {"test.csv": csv([*rows()[:2], (OTHER, "POS")])},
    ),
    Case(
        "near leak",
        SPLITS,
        ["warning test.csv:2: 1 of 2 rows of test is nearly the same as a row of train: good.csv:5 (Jaccard 0.91)"],
        data("train: good.csv", "test: test.csv"),
        {"test.csv": csv([(rows()[3][0] + "!x", rows()[3][1]), (OTHER, "POS")])},
    ),
    Case(
        "conflict within",
        SPLITS,
        ["warning good.csv:11: 1 text of train occurs with different labels: 'POS' here, 'NEG' at good.csv:6"],
        files={"good.csv": planted(changed(4, rows()[9][0]))},
    ),
    Case(
        "share too high",
        SPLITS,
        ["error r.yaml:5: `data.test`: a share lies between 0% and 100%; got 150%"],
        data("train: good.csv", "test: 150%"),
    ),
    Case(
        "share without its sign",
        SPLITS,
        ["error r.yaml:5: `data.test`: got 0.2; write a share as 20%"],
        data("train: good.csv", "test: 0.2"),
    ),
    Case(
        "share of nothing",
        SPLITS,
        ["error r.yaml:5: `data.dev`: a share lies between 0% and 100%; got 0%"],
        data("train: good.csv", "dev: 0%"),
    ),
    Case(
        "unknown split",
        SPLITS,
        [
            "error a.csv: the split column says 'devel2'; expected train, dev, test or their usual names; "
            "map them under `data.splits`"
        ],
        data("file: a.csv"),
        {"a.csv": WITH_SPLITS.replace("dev", "devel2")},
    ),
    Case(
        "split of no name",
        SPLITS,
        ["error r.yaml:5: `data.splits`: 'tset' is not a split; expected train, dev or test"],
        data("file: a.csv", "splits: {tset: test}"),
        {"a.csv": WITH_SPLITS},
    ),
    Case(
        "no split column",
        SPLITS,
        [
            "error good.csv: `data.splits` is given, but no column says which split a row belongs to; "
            "name it under data.fields.split"
        ],
        data("file: good.csv", "splits: {train: a, test: b}"),
    ),
    Case(
        "split column misspelt",
        SPLITS,
        ["error good.csv: no column 'part' for the field `split`; the columns are: text, label"],
        data("file: good.csv", "fields: {split: part}"),
    ),
    Case(
        "train and file",
        SPLITS,
        ["error r.yaml:3: `data`: `train` and `file` are both given; keep one of them"],
        data("train: good.csv", "file: good.csv"),
    ),
    Case(
        "dev twice",
        SPLITS,
        ["error a.csv: `data.dev` asks for a share, but the data have their own dev rows; remove one of the two"],
        data("file: a.csv", "dev: 20%"),
        {"a.csv": WITH_SPLITS},
    ),
    Case(
        "split column in train",
        SPLITS,
        ["error a.csv: `data.fields.split` goes with `data.file`; here the rows are all given as `data.train`"],
        data("train: a.csv", "fields: {split: split}"),
        {"a.csv": WITH_SPLITS},
    ),
    Case(
        "limit of no split",
        SPLITS,
        ["error r.yaml:5: `data.limit`: 'tain' is not a split; expected train, dev or test"],
        data("train: good.csv", "limit: {tain: 10}"),
    ),
    Case(
        "nothing to train on",
        SPLITS,
        ["error r.yaml:3: no row is left to train on"],
        data("file: a.csv"),
        {"a.csv": WITH_SPLITS.replace("train", "test")},
    ),
    Case(
        "one group",
        SPLITS,
        ["error r.yaml:3: a share of 10% for dev gets no row, for all rows belong together; give dev rows of its own"],
        data("train: a.csv", "fields: {group: user}"),
        {"a.csv": csv([(text, label, "u") for text, label in rows()], "text,label,user")},
    ),
    Case(
        "folds, and no dev split to choose by",
        SPLITS,
        ["error r.yaml:7: `training.patience` needs a dev split; set `data.dev`, such as 10%"],
        data("train: good.csv", "dev: null") + "folds: 3\ntraining: {patience: 2}\n",
    ),
]
