"""What metrics, baselines and splits are called on pages, cards and in sentences, in the language in force."""

from __future__ import annotations

from weitiao.messages import _


def metric_title(name: str, multi_label: bool = False) -> str:
    """What a metric is called on the page."""
    if name == "accuracy" and multi_label:
        return _("Accuracy (all labels right)")
    titles = {
        "accuracy": _("Accuracy"),
        "macro_f1": _("Macro F1"),
        "macro_precision": _("Macro precision"),
        "macro_recall": _("Macro recall"),
        "weighted_f1": _("Weighted F1"),
        "weighted_precision": _("Weighted precision"),
        "weighted_recall": _("Weighted recall"),
        "micro_f1": _("Micro F1"),
        "micro_precision": _("Micro precision"),
        "micro_recall": _("Micro recall"),
        "mcc": _("Matthews correlation"),
        "samples_f1": _("F1 by row"),
        "hamming_accuracy": _("Label decisions right (1 − Hamming loss)"),
        "span_f1": _("Span F1 (strict)"),
        "span_precision": _("Span precision (strict)"),
        "span_recall": _("Span recall (strict)"),
        "macro_span_f1": _("Macro span F1 (strict)"),
        "partial_span_f1": _("Span F1, a wrong border counts half"),
        "exact_match": _("Texts with every span right"),
        "precision": _("precision"),
        "recall": _("recall"),
        "f1": "F1",
        "share": _("share"),
        "token_accuracy": _("Token accuracy (O included)"),
        "macro_f1_with_outside": _("Macro F1 over tokens with O as a label"),
        "las": _("LAS (head and relation right, without subtypes)"),
        "uas": _("UAS (head right)"),
        "upos_accuracy": _("Part of speech right"),
        "las_with_subtypes": _("LAS with subtypes"),
    }
    return titles.get(name, name.replace("_", " "))


def baseline_title(name: str) -> str:
    """What a baseline is called on the page."""
    titles = {
        "majority": _("Majority"),
        "tfidf": _("TF-IDF"),
        "gazetteer": _("Gazetteer"),
        "right_attachment": _("Each word on its neighbour"),
    }
    return titles.get(name, name)


def table_title(name: str) -> str:
    """What a table that only some tasks have is called."""
    titles = {
        "span_errors": _("What became of the spans"),
        "spans_by_length": _("Spans by length, in units"),
        "spans_by_form": _("Spans by surface form"),
        "by_unit": _("Beside the strict scores: by unit"),
        "span_alignment": _("Can tags give the gold spans?"),
        "trees_by_relation": _("Words by relation"),
        "trees_by_distance": _("Words by distance to their head"),
        "trees_by_length": _("Words by length of their sentence"),
    }
    return titles.get(name, name.replace("_", " "))


def row_title(label: str) -> str:
    """What a row of such a table is called; texts of the data stay as they are."""
    titles = {
        "right": _("right"),
        "wrong_border": _("right label, wrong border"),
        "wrong_label": _("right borders, wrong label"),
        "wrong_both": _("wrong border and label"),
        "spurious": _("found where nothing is marked"),
        "missed": _("missed"),
        "seen_form": _("marked in the training rows"),
        "unseen_form": _("new"),
        "units": _("units"),
        "fits": _("yes"),
        "border_in_unit": _("no: it begins or ends inside a unit"),
        "overlapping_span": _("no: it overlaps a longer span"),
        "to_root": _("the root"),
    }
    return titles.get(label, label)


def split_title(split: str) -> str:
    """The rows that were measured."""
    return {"test": _("test"), "dev": _("dev"), "train": _("train")}.get(split, split)
