"""Predictions -> Report: intervals, baselines, comparison, the page and the model card.

Two tables let the room grow by files: `BASELINES` (cheap answers to the same rows) and `ANALYSES` (what a task's
report shows beyond its metrics).
"""

from weitiao.tables import Table

BASELINES = Table(
    "baseline",
    {
        "gazetteer": "weitiao.evaluation.gazetteer:gazetteer",
        "lexical_overlap": "weitiao.evaluation.overlap:lexical_overlap",
        "majority": "weitiao.evaluation.baselines:majority",
        "tfidf": "weitiao.evaluation.baselines:tfidf",
    },
)
ANALYSES = Table(
    "analysis",
    {
        "answer": "weitiao.evaluation.answers:analyse",
        "classify": "weitiao.evaluation.classification:analyse",
        "tag": "weitiao.evaluation.spans:analyse",
    },
)
