"""Predictions -> Report: intervals, baselines, comparison, the page and the model card.

Two tables let the room grow by files: `BASELINES` (cheap answers to the same rows) and `ANALYSES` (what a task's
report shows beyond its metrics).
"""

from weitiao.tables import Table

BASELINES = Table(
    "baseline",
    {
        "gazetteer": "weitiao.evaluation.gazetteer:gazetteer",
        "majority": "weitiao.evaluation.baselines:majority",
        "right_attachment": "weitiao.evaluation.attachment:right_attachment",
        "tfidf": "weitiao.evaluation.baselines:tfidf",
    },
)
ANALYSES = Table(
    "analysis",
    {
        "classify": "weitiao.evaluation.classification:analyse",
        "parse": "weitiao.evaluation.trees:analyse",
        "tag": "weitiao.evaluation.spans:analyse",
    },
)
