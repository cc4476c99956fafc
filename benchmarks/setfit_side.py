"""The setfit package's part of few_shot.py, run in its own environment: an order on stdin, the answer on stdout."""

from __future__ import annotations

import json
import sys
import time
from typing import Any

from datasets import Dataset
from setfit import SetFitModel, Trainer, TrainingArguments


def main(order: dict[str, Any]) -> dict[str, Any]:
    """Fit with the package's defaults and save; seconds are from opening the model to having saved it."""
    began = time.perf_counter()
    model = SetFitModel.from_pretrained(order["model"])
    model.model_body.max_seq_length = order["max_length"]
    arguments = TrainingArguments(seed=order["seed"], report_to="none", save_strategy="no", show_progress_bar=False)
    Trainer(model=model, args=arguments, train_dataset=Dataset.from_list(order["train"])).train()
    model.save_pretrained(order["output"])
    seconds = time.perf_counter() - began
    answers = model.predict([row["text"] for row in order["test"]], show_progress_bar=False)
    return {"answers": [str(each) for each in answers], "seconds": round(seconds, 2)}


if __name__ == "__main__":
    made = main(json.load(sys.stdin))
    print()
    print(json.dumps(made))
