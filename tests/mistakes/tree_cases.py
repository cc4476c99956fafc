"""Mistakes in treebanks: CoNLL-U that is none, heads that make no tree, missing labels, options without effect."""

from __future__ import annotations

from collections.abc import Callable

from tests.mistakes.cases import Case, rows

TREES = "trees"
HEADS, DEPRELS, PARTS = (2, 0, 2, 3), ("nsubj", "root", "obj", "nmod"), ("NOUN", "ADJ", "PROPN", "NUM")
LINES = 6  # of a sentence, with its text and the blank line
PLANTED = 5  # sentence, from 0, with the mistake
FIRST = PLANTED * LINES + 1
Table = list[list[str]]  # the cells of the sentence's words


def sentences(change: Callable[[Table], object], planted: int = PLANTED) -> str:
    """Forty sentences of four words, one of them changed."""
    parts = []
    for index, (text, _label) in enumerate(rows()):
        table = [
            [str(number), form, "_", PARTS[number - 1], "_", "_", str(HEADS[number - 1]), DEPRELS[number - 1], "_", "_"]
            for number, form in enumerate(text.split(), start=1)
        ]
        if index == planted:
            change(table)
        parts.append("\n".join([f"# text = {text}", *("\t".join(cells) for cells in table), "", ""]))
    return "".join(parts)


def cell(word: int, column: int, value: str) -> Callable[[Table], None]:
    """Another value in one cell; words and columns count from 0."""

    def change(table: Table) -> None:
        table[word][column] = value

    return change


def every(column: int, value: str) -> Callable[[Table], None]:
    """The same value in all words."""

    def change(table: Table) -> None:
        for cells in table:
            cells[column] = value

    return change


def nothing(table: Table) -> None:
    """No mistake in the rows."""


def case(name: str, change: Callable[[Table], object], reason: str) -> Case:
    """A sentence that cannot be used."""
    problem = (
        f"error t.conllu:{FIRST}: 1 of 40 rows cannot be used, more than data.max_dropped = 1.00% allows "
        f"(line {FIRST}: {reason}); repair them, or let them go with data.max_dropped=0.025"
    )
    return Case(name, TREES, [problem], recipe(), {"t.conllu": sentences(change)})


def recipe(task: str = "parse", *others: str) -> str:
    return "\n".join([f"task: {task}", "model: ./m", "data: {train: t.conllu}", *others, ""])


TREE_CASES = [
    case("two words on each other", cell(1, 6, "1"), "the heads go in a circle: 1 -> 2 -> 1"),
    case("a word on itself", cell(2, 6, "3"), "the heads go in a circle: 3 -> 3"),
    case("a head outside", cell(3, 6, "5"), "the head of word 4 is 5, outside the sentence of 4 words"),
    case("two roots", cell(3, 6, "0"), "2 words have head 0, the root: 2, 4; expected one"),
    case(
        "a head that is a word", cell(0, 6, "is"),
        "the head of word 1 is 'is'; expected the number of a word, or 0 for the root",
    ),
    case("no tree", every(6, "_"), "no heads"),
    case("a word without part of speech", cell(2, 3, "_"), "word 3 has no upos"),
    case("a word without relation", cell(3, 7, ""), "word 4 has no deprels"),
    case(
        "a column too few", lambda table: table[0].pop(),
        f"line {FIRST + 1} has 9 columns, parted by tabs; expected 10",
    ),
    case(
        "spaces for tabs",
        lambda table: table.__setitem__(1, [" ".join(table[1])]),
        f"line {FIRST + 2} has 1 columns, parted by tabs; expected 10",
    ),
    case("an id left out", cell(2, 0, "4"), f"line {FIRST + 3}: the id 4 is out of order behind 2 words"),
    case(
        "an id that is none", cell(2, 0, "c"),
        f"line {FIRST + 3}: 'c' is no id; expected a number, a range such as 1-2 or an empty node such as 1.1",
    ),
    case(
        "a range too long",
        lambda table: table.insert(3, ["4-5", "x", *"________"]),
        "a range ends at word 5, behind the last one, 4",
    ),
    case("an empty form", cell(0, 1, ""), f"line {FIRST + 1}: an empty form"),
    Case(
        "a text of other words", TREES,
        [
            f"warning t.conllu:{FIRST}: the `# text` of 1 sentence is not made of its tokens, "
            "which are put together instead"
        ],
        recipe(), {"t.conllu": sentences(cell(0, 1, "movie"))},
    ),
    Case(
        "smoothing", TREES,
        ["error r.yaml:4: `training.label_smoothing` has no effect on the task 'parse'; remove it"],
        recipe("parse", "training: {label_smoothing: 0.1}"), {"t.conllu": sentences(nothing)},
    ),
    Case(
        "a head for one answer", TREES,
        ["error r.yaml:2: `model.head: mean` gives one answer a text, and the task 'parse' needs more; remove it"],
        recipe().replace("./m", "{name: ./m, head: mean}"), {"t.conllu": sentences(nothing)},
    ),
    Case(
        "a sentence longer than the model reads", TREES,
        [
            "warning r.yaml:4: 40 of 40 texts are longer than 5 tokens and lose their end, 16.7% of all tokens; "
            "raise training.max_length if the model allows, or shorten them"
        ],
        recipe("parse", "training: {max_length: 5}"), {"t.conllu": sentences(nothing)},
    ),
    Case(
        "a baseline of another task", TREES,
        ["error r.yaml:4: unknown baseline 'gazetteer'; expected one of: right_attachment"],
        recipe("parse", "evaluation: {baselines: [gazetteer]}"), {"t.conllu": sentences(nothing)},
    ),
]  # fmt: skip
