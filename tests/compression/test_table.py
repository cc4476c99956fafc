"""The two tables of steps, and what every step's options say of themselves."""

from __future__ import annotations

import subprocess
import sys
from typing import get_args

from weitiao.compression import STEP_OPTIONS, STEPS
from weitiao.compression.base import Form, Step, StepOptions


def test_every_step_has_options_that_say_what_it_takes_and_gives() -> None:
    assert set(STEPS) == set(STEP_OPTIONS)
    for name, options in STEP_OPTIONS.items():
        assert issubclass(options, StepOptions) and options.takes and options.gives in get_args(Form), name
        assert not options.exact or 0 < options.bound <= 1e-3, name
        assert issubclass(STEPS[name], Step), name
        assert all(field.description for field in options.model_fields.values()), name


def test_options_are_read_without_torch() -> None:
    code = (
        "import sys; from weitiao.compression import STEPS, STEP_OPTIONS; [STEP_OPTIONS[each] for each in STEPS]; "
        "assert not {'torch', 'transformers', 'onnxruntime'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
