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
        "tfidf": "weitiao.evaluation.baselines:tfidf",
    },
)
ANALYSES = Table(
    "analysis",
    {
        "classify": "weitiao.evaluation.classification:analyse",
        "event": "weitiao.evaluation.events:analyse",
        "span": "weitiao.evaluation.spans:analyse_overlapping",
        "tag": "weitiao.evaluation.spans:analyse",
    },
)
