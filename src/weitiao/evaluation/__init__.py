"""Predictions -> Report: intervals, baselines, comparison, the page and the model card.

Two tables let the room grow by files: `BASELINES` (cheap answers to the same rows) and `ANALYSES` (what a task's
report shows beyond its metrics).
"""

from weitiao.tables import Table

BASELINES = Table(
    "baseline",
    {
        "event_gazetteer": "weitiao.evaluation.events:event_gazetteer",
        "gazetteer": "weitiao.evaluation.gazetteer:gazetteer",
        "majority": "weitiao.evaluation.baselines:majority",
        "majority_gazetteer": "weitiao.evaluation.intents:majority_gazetteer",
        "tfidf": "weitiao.evaluation.baselines:tfidf",
        "tfidf_between": "weitiao.evaluation.relations:tfidf_between",
        "tfidf_gazetteer": "weitiao.evaluation.intents:tfidf_gazetteer",
    },
)
ANALYSES = Table(
    "analysis",
    {
        "classify": "weitiao.evaluation.classification:analyse",
        "event": "weitiao.evaluation.events:analyse",
        "intent_slot": "weitiao.evaluation.intents:analyse",
        "relate": "weitiao.evaluation.relations:analyse",
        "span": "weitiao.evaluation.spans:analyse_overlapping",
        "tag": "weitiao.evaluation.spans:analyse",
    },
)
