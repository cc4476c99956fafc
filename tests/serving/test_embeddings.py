"""`/v1/embeddings` as OpenAI's clients ask it."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.serving.running import Server
from weitiao.serving.predictor import Predictor


def embed(server: Server, **asked: Any) -> tuple[int, dict[str, Any]]:
    status, answer = server.ask("POST", "/v1/embeddings", json.dumps({"model": "vectors", **asked}))
    return status, json.loads(answer)


def test_a_text_or_several(server: Server, vectors_run: Path) -> None:
    status, answer = embed(server, input=["fine", "a lazy dog"])
    assert status == 200
    assert (answer["object"], answer["model"]) == ("list", "vectors")
    assert [each["index"] for each in answer["data"]] == [0, 1]
    predictor = Predictor.load(vectors_run)
    for got, expected in zip(answer["data"], predictor.predict(["fine", "a lazy dog"]), strict=True):
        assert got["embedding"] == pytest.approx(expected.vector, abs=1e-5)  # type: ignore[attr-defined]
    tokens = sum(len(each.ids) for each in predictor.tokenizer.encode(["fine", "a lazy dog"]))
    assert answer["usage"] == {"prompt_tokens": tokens, "total_tokens": tokens}
    assert embed(server, input="fine")[1]["data"][0]["embedding"] == pytest.approx(
        answer["data"][0]["embedding"], abs=1e-5
    )


def test_base64_is_little_endian_float32(server: Server) -> None:
    plain = embed(server, input="fine")[1]["data"][0]["embedding"]
    packed = embed(server, input="fine", encoding_format="base64")[1]["data"][0]["embedding"]
    assert np.frombuffer(base64.b64decode(packed), "<f4") == pytest.approx(plain, abs=1e-6)


def test_the_beginning_of_a_vector_that_serves_alone(server: Server) -> None:
    whole = np.array(embed(server, input="fine")[1]["data"][0]["embedding"])
    short = np.array(embed(server, input="fine", dimensions=16)[1]["data"][0]["embedding"])
    assert short == pytest.approx(whole[:16] / np.linalg.norm(whole[:16]), abs=1e-5)


@pytest.mark.parametrize(
    ("asked", "status", "param", "reason"),
    [
        ({"input": []}, 400, "input", "`input`: no text in it"),
        ({"input": [[1, 2]]}, 400, "input", "`input`: expected text"),
        ({"input": " "}, 400, "input", "input 0: empty text"),
        (
            {"input": "a", "dimensions": 8}, 400, "dimensions",
            "`dimensions`: the model does not serve 8; it serves: 16, and the whole vector",
        ),
        ({"input": "a", "model": "reviews"}, 400, "model", "the model 'reviews' does not embed; its task is classify"),
        ({"input": "a", "model": "vector"}, 404, None, "unknown model 'vector'; did you mean 'vectors'?"),
        ({"input": ["a"] * 257}, 413, None, "257 records in one request; at most 256 are answered"),
    ],
)  # fmt: skip
def test_faults_come_as_openai_says_them(
    server: Server, asked: dict[str, Any], status: int, param: str | None, reason: str
) -> None:
    got, answer = embed(server, **asked)
    assert (got, answer["error"]["message"], answer["error"]["param"]) == (status, reason, param)
    assert answer["error"]["type"] == "invalid_request_error"
