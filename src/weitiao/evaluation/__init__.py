"""Predictions -> Report: intervals, baselines, comparison, the page and the model card.

Two tables let the room grow by files: `BASELINES` (cheap answers to the same rows) and `ANALYSES` (what a task's
report shows beyond its metrics).
"""

from weitiao.tables import Table

BASELINES = Table(
    "baseline",
    {
        "bm25": "weitiao.evaluation.ranking:bm25",
        "gazetteer": "weitiao.evaluation.gazetteer:gazetteer",
        "mean": "weitiao.evaluation.numbers:mean",
        "majority": "weitiao.evaluation.baselines:majority",
        "tfidf": "weitiao.evaluation.baselines:tfidf",
        "tfidf_similarity": "weitiao.evaluation.similarity:tfidf_similarity",
        "tfidf_score": "weitiao.evaluation.numbers:tfidf_score",
    },
)
ANALYSES = Table(
    "analysis",
    {
        "classify": "weitiao.evaluation.classification:analyse",
        "embed": "weitiao.evaluation.similarity:analyse",
        "rank": "weitiao.evaluation.ranking:analyse",
        "regress": "weitiao.evaluation.numbers:analyse",
        "tag": "weitiao.evaluation.spans:analyse",
    },
)
