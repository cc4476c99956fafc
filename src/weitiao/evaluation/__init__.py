"""Predictions -> Report: intervals, baselines, comparison, the page and the model card.

Two tables let the room grow by files: `BASELINES` (cheap answers to the same rows) and `ANALYSES` (what a task's
report shows beyond its metrics).
"""

from collections.abc import Callable
from typing import Any

from weitiao.tables import Table

BASELINES = Table(
    "baseline",
    {
        "bm25": "weitiao.evaluation.ranking:bm25",
        "event_gazetteer": "weitiao.evaluation.events:event_gazetteer",
        "gazetteer": "weitiao.evaluation.gazetteer:gazetteer",
        "lexical_overlap": "weitiao.evaluation.overlap:lexical_overlap",
        "majority": "weitiao.evaluation.baselines:majority",
        "majority_gazetteer": "weitiao.evaluation.intents:majority_gazetteer",
        "mean": "weitiao.evaluation.numbers:mean",
        "right_attachment": "weitiao.evaluation.attachment:right_attachment",
        "tfidf": "weitiao.evaluation.baselines:tfidf",
        "tfidf_between": "weitiao.evaluation.relations:tfidf_between",
        "tfidf_gazetteer": "weitiao.evaluation.intents:tfidf_gazetteer",
        "tfidf_score": "weitiao.evaluation.numbers:tfidf_score",
        "tfidf_similarity": "weitiao.evaluation.similarity:tfidf_similarity",
    },
)
ANALYSES = Table(
    "analysis",
    {
        "answer": "weitiao.evaluation.answers:analyse",
        "classify": "weitiao.evaluation.classification:analyse",
        "embed": "weitiao.evaluation.similarity:analyse",
        "event": "weitiao.evaluation.events:analyse",
        "intent_slot": "weitiao.evaluation.intents:analyse",
        "parse": "weitiao.evaluation.trees:analyse",
        "rank": "weitiao.evaluation.ranking:analyse",
        "regress": "weitiao.evaluation.numbers:analyse",
        "relate": "weitiao.evaluation.relations:analyse",
        "span": "weitiao.evaluation.spans:analyse_overlapping",
        "tag": "weitiao.evaluation.spans:analyse",
    },
)


def analysis_of(task: object) -> Callable[..., Any] | None:
    """What `ANALYSES` holds for a task, or for the one that it was made from."""
    names = (getattr(kind, "name", "") for kind in type(task).__mro__)
    return next((ANALYSES[name] for name in names if name in ANALYSES), None)
