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
    }
    return titles.get(name, name.replace("_", " "))


def baseline_title(name: str) -> str:
    """What a baseline is called on the page."""
    return {"majority": _("Majority"), "tfidf": _("TF-IDF")}.get(name, name)


def split_title(split: str) -> str:
    """The rows that were measured."""
    return {"test": _("test"), "dev": _("dev"), "train": _("train")}.get(split, split)
