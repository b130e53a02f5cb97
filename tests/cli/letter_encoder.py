"""An encoder of somebody's own: a text by its words, each on an axis of its own, so that what is alike can be said by hand."""

from typing import ClassVar

import numpy as np

from vitrina.base.config import Config

AXES = {"red": 0, "scarlet": 0, "blue": 1, "navy": 1, "shoes": 2, "boots": 2, "hat": 3, "cap": 3}  # two words of one axis mean the same


class WordAxes(Config):
    """Stops with Ctrl-C after so many texts, where a number is given; that is no parameter, as it changes no vector."""

    read: ClassVar[list] = []
    stop: ClassVar[int] = 0

    @property
    def dim(self) -> int:
        return 4

    def encode(self, texts):
        out = np.zeros((len(texts), 4), np.float32)
        for row, text in enumerate(texts):
            if WordAxes.stop and len(WordAxes.read) >= WordAxes.stop:
                raise KeyboardInterrupt
            WordAxes.read.append(text)
            for word in (text or "").lower().split():
                out[row, AXES.get(word, 0)] += word in AXES
        norms = np.linalg.norm(out, axis=1, keepdims=True)
        return np.divide(out, norms, out=np.zeros_like(out), where=norms > 0)
