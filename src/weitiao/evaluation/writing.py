"""A Report into its three files: report.json, report.html and the model card README.md."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext

from weitiao.artifact import RunFolder, write_text
from weitiao.evaluation.card import render_card
from weitiao.evaluation.page import render_page
from weitiao.evaluation.schema import Report
from weitiao.messages import language


def write_report(
    report: Report,
    folder: RunFolder,
    *,
    head: str,
    languages: Sequence[str] = (),
    base_license: str = "",
    speak: str | None = None,
    steps: Sequence[str] = (),
) -> None:
    """Write the three files, each whole or not at all.

    Args:
        report: what was measured.
        folder: the run.
        head: 'stock' or 'mean': how the card says to load the model.
        languages: of the training texts, for the card.
        base_license: of the pretrained model.
        speak: 'en' or 'zh_CN'; None for the language in force.
        steps: what compression did to the model, for the card.
    """
    with language(speak) if speak else nullcontext():
        write_text(folder.report, report.model_dump_json(indent=2) + "\n")
        write_text(folder.page, render_page(report))
        card = render_card(report, head=head, languages=languages, base_license=base_license, steps=steps)
        write_text(folder.card, card)
