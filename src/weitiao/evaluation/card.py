"""The model card: README.md of a run, with the YAML front matter that model hubs read.

The front matter is written as JSON-quoted YAML, so no name or label can break it; the text below follows the language
in force. Texts of rows never enter a card.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from weitiao.evaluation.page import NO_SHARES, note_of, plain, spread_sentences, standing
from weitiao.evaluation.schema import Report
from weitiao.evaluation.titles import baseline_title, metric_title, split_title
from weitiao.evaluation.verdict import explain
from weitiao.messages import _
from weitiao.tasks import TASKS

LABELS_SHOWN = 50
PIPELINES = frozenset({"text-classification", "token-classification"})  # of transformers, by a model hub's name


def render_card(
    report: Report,
    *,
    head: str,
    languages: Sequence[str] = (),
    license_name: str = "unknown",
    base_license: str = "",
    steps: Sequence[str] = (),
) -> str:
    """The card as Markdown.

    Args:
        report: of the run.
        head: 'stock' (loads in plain transformers), or the name of the head that loads through weitiao.
        languages: of the texts, as ISO codes such as 'zh'; none where unknown.
        license_name: of the model, as an SPDX name; 'unknown' unless the user says so.
        base_license: of the pretrained model, where it is known.
        steps: what compression did to the model, in sentences.
    """
    parts = [
        _front_matter(report, languages, license_name),
        f"# {_inline(report.run)}",
        _about(report),
        _section(_("Scores"), _scores(report)),
        *([_section(_("Compression"), _listed(steps))] if steps else []),
        _section(_("How to use"), _usage(report, head)),
        _section(_("Data"), _data(report)),
        _section(_("Limits"), _limits(report)),
        _section(_("License"), _license(license_name, base_license)),
    ]
    return "\n\n".join(parts) + "\n"


def render_steps(name: str, steps: Sequence[str]) -> str:
    """The card of a compressed model that could not be measured anew."""
    return "\n\n".join([f"# {_inline(name)}", _section(_("Compression"), _listed(steps))]) + "\n"


def _listed(sentences: Sequence[str]) -> str:
    return "\n".join(f"- {sentence}" for sentence in sentences)


def _section(title: str, body: str) -> str:
    return f"## {title}\n\n{body}"


def _front_matter(report: Report, languages: Sequence[str], license_name: str) -> str:
    """Keys of the Hub's model card metadata; values are JSON, which is YAML."""
    hub = TASKS[report.task].hub
    score, level = report.metrics[report.headline], f"{100 * report.confidence:.3g} %"
    measured = f"{report.headline}, {level} interval {score.low:.4f} to {score.high:.4f}"
    entries: dict[str, Any] = {
        "license": license_name,
        **({"language": list(languages)} if languages else {}),
        "library_name": "transformers",
        **({"pipeline_tag": hub} if hub else {}),
        "tags": ["weitiao", report.task],
        "model-index": [
            {
                "name": report.run,
                "results": [
                    {
                        "task": {"type": hub or report.task},
                        "dataset": {"name": f"{report.run} ({report.split})", "type": "private"},
                        "metrics": [
                            {
                                "type": report.headline,
                                "value": score.value,
                                "name": measured,
                            }
                        ],
                    }
                ],
            }
        ],
    }
    return "\n".join(
        ["---", *(f"{key}: {json.dumps(value, ensure_ascii=False)}" for key, value in entries.items()), "---"]
    )


def _about(report: Report) -> str:
    labels = ", ".join(f"`{_code(label)}`" for label in report.labels[:LABELS_SHOWN])
    more = len(report.labels) - LABELS_SHOWN
    lines = [
        _("Task `{task}`, fine-tuned from `{model}` with method `{method}` by weitiao {version}.").format(
            task=report.task, model=_code(report.model), method=report.method, version=report.weitiao
        ),
    ]
    kind = TASKS[report.task].labels_are
    if kind == "scale":
        lines.append(_("Scale of the training scores: {scale}").format(scale=labels))
        if report.task == "regress":
            lines.append(_("In plain transformers, an answer is the output times sd plus mean."))
    elif kind == "classes":
        lines.append(
            _("Labels: {labels}").format(labels=labels)
            + (_(" and {count} more").format(count=more) if more > 0 else "")
        )
    return "\n\n".join(lines)


def _scores(report: Report) -> str:
    head = [_("metric"), _("value"), _("{level} % interval").format(level=f"{100 * report.confidence:.3g}")]
    rows = [
        [
            metric_title(name, report.multi_label),
            plain(score.value, name),
            f"{plain(score.low, name)} – {plain(score.high, name)}",
        ]
        for name, score in report.metrics.items()
    ]
    compared = [_baseline(report, name) for name in report.baselines]
    stands = standing(report)
    measured = _("Measured on {rows} rows ({split}).").format(rows=f"{report.rows:,}", split=split_title(report.split))
    spreads = "\n".join(f"- {sentence}" for sentence in spread_sentences(report))
    sentence = stands.sentence if stands else ""
    parts = [measured, note_of(report), _table(head, rows), spreads, sentence, "\n".join(compared)]
    return "\n\n".join(part for part in parts if part)


def _baseline(report: Report, name: str) -> str:
    score, gap = report.baselines[name].metrics[report.headline], report.baselines[name].difference
    sentence = (
        _("{baseline}: {metric} {value}; the model minus it: {gap} points ({low} to {high})")
        if report.headline not in NO_SHARES
        else _("{baseline}: {metric} {value}; the model minus it: {gap} ({low} to {high})")
    )
    return "- " + sentence.format(
        baseline=baseline_title(name),
        metric=metric_title(report.headline, report.multi_label),
        value=plain(score.value, report.headline),
        gap=plain(gap.value, report.headline, signed=True),
        low=plain(gap.low, report.headline, signed=True),
        high=plain(gap.high, report.headline, signed=True),
    )


def _usage(report: Report, head: str) -> str:
    folder = f"path/to/{report.run}"
    task = TASKS[report.task]
    names = [f'"{spec.name}"' for spec in task.fields if spec.required and not spec.only_labelled]
    asked = f"({', '.join(names)})" if len(names) > 1 else '"..."'
    ours = f"```python\nimport weitiao\n\nrun = weitiao.load({folder!r})\nprint(run.predict([{asked}]))\n```"
    if head == "stock" and task.stock:
        stock = _stock_usage(task, folder + "/model", asked)
        note = _(
            "In plain transformers, without weitiao (thresholds and abstention are weitiao's, and not applied there):"
        )
        return "\n\n".join([_("With weitiao:"), ours, note, stock])
    if head == "embed":
        theirs = (
            "```python\nfrom sentence_transformers import SentenceTransformer\n\n"
            f'model = SentenceTransformer({folder + "/model"!r})\nprint(model.encode(["..."]))\n```'
        )
        return "\n\n".join([_("With weitiao:"), ours, _("In sentence-transformers, the same vectors:"), theirs])
    return "\n\n".join([_("`{head}` loads through weitiao, not in plain transformers:").format(head=head), ours])


def _stock_usage(task: Any, model: str, asked: str) -> str:
    """How plain transformers loads the model."""
    if task.hub in PIPELINES:
        given = asked if asked.startswith('"') else '{"text": "...", "text_pair": "..."}'
        return (
            "```python\nfrom transformers import pipeline\n\n"
            f'answer = pipeline("{task.hub}", model={model!r})\nprint(answer({given}))\n```'
        )
    return f"```python\nfrom transformers import {task.stock}\n\nmodel = {task.stock}.from_pretrained({model!r})\n```"


def _data(report: Report) -> str:
    rows = [[split_title(name), f"{count:,}"] for name, count in report.data.rows.items()]
    table = _table([_("split"), _("rows")], rows) if rows else ""
    warned = _("Warnings about the data: {count}; they are listed in report.json.").format(
        count=len(report.data.problems)
    )
    return "\n\n".join(part for part in (table, warned if report.data.problems else "") if part) or _("Not recorded.")


def _limits(report: Report) -> str:
    lines = [
        _("It was measured on rows like its training rows; on other texts it may do worse."),
        *(explain(finding) for finding in report.verdict.findings),
    ]
    weak = sorted((each for each in report.per_class if each.support), key=lambda each: each.f1)[:3]
    if weak:
        named = ", ".join(f"`{_code(each.label)}` ({plain(each.f1)})" for each in weak)
        lines.append(_("Classes with the lowest F1: {classes}.").format(classes=named))
    if report.calibration:
        lines.append(_("Expected calibration error: {ece}.").format(ece=plain(report.calibration.ece, "ece")))
    return _listed(lines)


def _license(license_name: str, base_license: str) -> str:
    own = (
        _("No license was given for this model; ask its maker before you pass it on.")
        if license_name == "unknown"
        else _("This model: {license}.").format(license=license_name)
    )
    base = _("The pretrained model: {license}.").format(license=base_license) if base_license else ""
    return f"{own} {base}".strip()


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)


def _inline(text: str) -> str:
    """A name in running Markdown: no line breaks, no HTML."""
    return " ".join(text.split()).replace("<", "&lt;")


def _code(text: str) -> str:
    """A name between backticks: no line breaks, no backticks."""
    return " ".join(text.split()).replace("`", "'")
