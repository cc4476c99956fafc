"""Every text of the page, in the language in force; names in braces are filled in by the page."""

from __future__ import annotations

from weitiao.messages import _


def texts() -> dict[str, str]:
    """Key -> text."""
    return {**_asking(), **_answers(), **_correcting(), **_drift()}


def _asking() -> dict[str, str]:
    return {
        "title": _("Try the model"),
        "model": _("Model"),
        "documentation": _("Documentation"),
        "field_text": _("Text"),
        "field_text_pair": _("Second text"),
        "field_query": _("Query"),
        "field_question": _("Question"),
        "field_passage": _("Text to look in"),
        "field_head": _("First name, as it stands in the text"),
        "field_tail": _("Second name, as it stands in the text"),
        "optional": _("optional"),
        "ask": _("Answer"),
        "asking": _("Answering ..."),
        "loading": _("Loading ..."),
        "empty": _("Type a text and press Answer."),
        "missing": _("Fill in: {field}"),
        "not_in_text": _("“{piece}” does not stand in the text."),
        "busy": _("The server is busy. Try again in {seconds} s."),
        "unavailable": _("The server cannot answer right now. Try again in {seconds} s."),
        "again": _("Try again"),
        "unreachable": _("The server cannot be reached."),
        "key_needed": _("This server asks for a key."),
        "key": _("Key"),
        "failed": _("The request failed ({status})."),
        "truncated": _("The text is longer than the model reads; only its beginning counted."),
    }


def _answers() -> dict[str, str]:
    return {
        "answer": _("Answer of the model"),
        "abstained": _("The model abstains: it is not sure enough."),
        "no_label": _("No label passes its threshold."),
        "nothing_found": _("Nothing was found in the text."),
        "no_answer": _("The text does not hold an answer."),
        "other_answers": _("Other candidates"),
        "similarity": _("Similarity"),
        "dimensions": _("Dimensions"),
        "first_values": _("First values"),
        "trigger": _("Trigger"),
        "took": _("{milliseconds} ms"),
        "more_labels": _("All {count} labels"),
    }


def _correcting() -> dict[str, str]:
    return {
        "correct": _("Correct it"),
        "was_right": _("It is right"),
        "send": _("Send the correction"),
        "sending": _("Sending ..."),
        "right_label": _("What is right?"),
        "right_labels": _("What is right? Choose all that fit."),
        "other_label": _("Another label"),
        "right_number": _("What number is right?"),
        "right_similarity": _("How alike are they?"),
        "right_answer": _("The right answer: mark it in the text, or type it as it stands there"),
        "none_there": _("The text holds no answer"),
        "select": _("Mark a piece of the text, choose its label, and add it."),
        "piece": _("Piece of the text"),
        "label": _("Label"),
        "add": _("Add"),
        "remove": _("Remove {piece}"),
        "word": _("Word"),
        "part": _("Part of speech"),
        "head": _("Head"),
        "relation": _("Relation"),
        "right_events": _("The events, as a training row has them"),
        "not_json": _("This is not valid JSON."),
        "stored": _("Stored. Thank you! Its number:"),
        "new_label": _("The model does not know this label yet; it can learn it."),
        "choose": _("Choose or type what is right."),
    }


def _drift() -> dict[str, str]:
    return {
        "drift": _("Drift"),
        "drift_about": _("The last {count} requests against the training data"),
        "drift_waiting": _("{count} of {needed} requests that a comparison needs"),
        "drift_none": _("There is nothing to compare with: the training data are not there."),
        "state_stable": _("stable"),
        "state_moderate": _("some drift"),
        "state_large": _("much drift"),
        "measure_lengths": _("Lengths in tokens"),
        "measure_unknown": _("Unknown tokens"),
        "measure_unseen": _("Tokens that training never saw"),
        "measure_confidence": _("Confidence"),
        "measure_scores": _("Answered numbers"),
        "measure_labels": _("Predicted labels"),
        "in_training": _("in training"),
        "now": _("now"),
        "index": _("index"),
    }
