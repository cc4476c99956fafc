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
        "sentence_exact": _("Utterances with intents and slots right"),
        "intent_accuracy": _("Intent accuracy"),
        "slot_f1": _("Slot F1 (strict)"),
        "slot_precision": _("Slot precision (strict)"),
        "slot_recall": _("Slot recall (strict)"),
        "in_scope_accuracy": _("Intent accuracy, in scope"),
        "out_of_scope_precision": _("Precision of 'out of scope'"),
        "out_of_scope_recall": _("Recall of 'out of scope'"),
        "relation_macro_f1": _("Macro F1 of relation types (SemEval-2010's official score)"),
        "relation_f1": _("Relation F1"),
        "relation_precision": _("Relation precision"),
        "relation_recall": _("Relation recall"),
        "strict_relation_f1": _("Relation F1, both spans right"),
        "strict_relation_precision": _("Relation precision, both spans right"),
        "strict_relation_recall": _("Relation recall, both spans right"),
        "strict_span_f1": _("Span F1 (strict)"),
        "strict_span_precision": _("Span precision (strict)"),
        "strict_span_recall": _("Span recall (strict)"),
        "spearman": _("Spearman correlation"),
        "pearson": _("Pearson correlation"),
        "recall@1": _("Own text found first"),
        "recall@5": _("Own text among the first 5"),
        "mrr@10": _("Mean reciprocal rank, first 10"),
        "ndcg@10": _("NDCG, first 10"),
        "map": _("Mean average precision"),
        "mae": _("Mean absolute error"),
        "rmse": _("Root mean squared error"),
        "mean_error": _("mean error (answer − gold)"),
        "exact_match": _("Exact match: nothing missing, nothing too much"),
        "precision": _("precision"),
        "recall": _("recall"),
        "f1": "F1",
        "share": _("share"),
        "argument_f1": _("Argument F1 (strict)"),
        "argument_precision": _("Argument precision (strict)"),
        "argument_recall": _("Argument recall (strict)"),
        "trigger_f1": _("Trigger F1 (strict)"),
        "trigger_precision": _("Trigger precision (strict)"),
        "trigger_recall": _("Trigger recall (strict)"),
        "linked_argument_f1": _("Argument F1, of the right trigger too"),
        "event_f1": _("Event F1: trigger and all arguments right"),
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
        "majority_gazetteer": _("Majority and gazetteer"),
        "tfidf_gazetteer": _("TF-IDF and gazetteer"),
        "tfidf_between": _("TF-IDF of the words between"),
        "event_gazetteer": _("Event gazetteer"),
        "mean": _("Mean"),
        "bm25": "BM25",
        "tfidf_score": _("TF-IDF"),
        "tfidf_similarity": _("TF-IDF"),
        "lexical_overlap": _("Lexical overlap"),
    }
    return titles.get(name, name.replace("_", " "))


def table_title(name: str) -> str:
    """What a table that only some tasks have is called."""
    titles = {
        "span_errors": _("What became of the spans"),
        "slots": _("Slots"),
        "relation_directions": _("Direction of relations whose type is right"),
        "spans_by_length": _("Spans by length, in units"),
        "spans_by_form": _("Spans by surface form"),
        "by_unit": _("Beside the strict scores: by unit"),
        "span_alignment": _("Can tags give the gold spans?"),
        "trees_by_relation": _("Words by relation"),
        "trees_by_distance": _("Words by distance to their head"),
        "trees_by_length": _("Words by length of their sentence"),
        "window_alignment": _("Does a window of the model hold what is to be found?"),
        "unit_alignment": _("Do the gold spans begin and end at units?"),
        "event_alignment": _("Do spans and links give the gold events of a text?"),
        "trigger_errors": _("What became of the triggers"),
        "argument_errors": _("What became of the arguments"),
        "by_events": _("Texts by their number of events"),
        "spans_by_nesting": _("Spans within others, and single ones"),
        "by_dimension": _("By numbers that are kept of the vector"),
        "queries": _("Queries by number of texts"),
        "errors_by_gold": _("Errors by the gold number"),
        "answer_errors": _("What became of the answers"),
        "answer_existence": _("Does the text hold an answer?"),
        "answers_by_length": _("By length of the answer, in words or Chinese characters"),
        "answers_by_question": _("By question word"),
        "answer_alignment": _("Can the gold answers be given?"),
    }
    return titles.get(name, name.replace("_", " "))


def row_title(label: str) -> str:
    """What a row of such a table is called; texts of the data stay as they are."""
    titles = {
        "right": _("right"),
        "wrong_direction": _("right type, wrong direction"),
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
        "outside_windows": _("no: none holds it whole; each costs recall"),
        "mixed_events": _("no: they share spans, and come back mixed"),
        "wide_span": _("no: it has more units than task.max_width"),
        "long_answer": _("no: it is longer than task.max_answer"),
        "to_root": _("the root"),
        "one_event": _("one"),
        "several_events": _("several"),
        "shared_trigger": _("several of one type and one trigger"),
        "nested_span": _("overlaps another span"),
        "single_span": _("stands alone"),
        "partly_right": _("overlaps the right answer"),
        "elsewhere": _("elsewhere in the text"),
        "missed_answer": _("said that there is none"),
        "answered_none": _("answered where there is none"),
        "has_answer": _("holds an answer"),
        "has_none": _("holds none"),
        "other_question": _("others"),
    }
    return titles.get(label, label)


def split_title(split: str) -> str:
    """The rows that were measured."""
    return {"test": _("test"), "dev": _("dev"), "train": _("train")}.get(split, split)
