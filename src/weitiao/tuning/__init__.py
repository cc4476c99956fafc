"""Search over recipes: a space of values, a study of trials, and what came out of it; no torch, and no training.

`reading` makes a `Space` of a file, `search` holds what was asked for, `study` hands out trials to workers (Optuna,
kept in the output folder), `result` and `page` tell what was found. What a trial does is composed in `verbs`.
"""
