"""Sentences as vectors whose directions are close where their meanings are: all-MiniLM-L6-v2.

The recipe is the one published with the model: the mean of the outputs for a sentence's tokens, brought to
unit length (Reimers and Gurevych 2019, Sentence-BERT; the model card of all-MiniLM-L6-v2).
"""

import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from tokenizers import Tokenizer
from transformers import AutoModel

from models.errors import ModelDamaged
from models.language import EMBEDDING_SIZE, Embeddings

MAX_TOKENS = 256
"""Tokens of a sentence that count; what comes after is left out, as in the model's own settings."""

_TOKENS_AT_ONCE = 512
"""Tokens, padding included, that go through the network together. More is no faster on a CPU."""

_LOADING = threading.Lock()
"""transformers makes modules without memory while it loads one, for all threads: two at once fail."""


class Embedder:
    """A sentence embedding model, whose weights are in memory only while it embeds.

    They are mapped from their file each time, which takes as long as embedding a few sentences and spares
    70 MB while calls are decoded, when a process needs most.
    """

    def __init__(self, folder: Path, languages: Sequence[str] = (), device: str = "cpu") -> None:
        """Take the transformers folder `folder`, which serves `languages`, or any where there are none.

        Raises `ModelDamaged` where its embeddings are not of `EMBEDDING_SIZE`.
        """
        self._folder = folder
        self._languages = languages
        self._device = device
        self._tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        self._tokenizer.enable_truncation(MAX_TOKENS)
        self._tokenizer.no_padding()
        if (size := self._load().config.hidden_size) != EMBEDDING_SIZE:
            raise ModelDamaged(
                f"The sentence embeddings of {folder} have {size} numbers and should have {EMBEDDING_SIZE}."
            )

    def _load(self) -> Any:
        with _LOADING:
            model = AutoModel.from_pretrained(self._folder, local_files_only=True, dtype=torch.float32)
        return model.eval().to(self._device)

    def serves(self, language: str) -> bool:
        """Whether the model was trained on the language."""
        return not self._languages or language in self._languages

    def embed(self, texts: Sequence[str]) -> Embeddings:
        """Embed each of `texts`: shape `(len(texts), EMBEDDING_SIZE)`, each row of unit length.

        Give it many texts at once: each time costs the loading of the model.
        """
        model = self._load()
        embeddings = np.zeros((len(texts), EMBEDDING_SIZE), np.float32)
        tokens = [encoding.ids for encoding in self._tokenizer.encode_batch(list(texts))]
        # Texts of like length together, so that little is computed for padding.
        order = sorted(range(len(texts)), key=lambda place: len(tokens[place]))
        start = 0
        while start < len(order):
            end = start + 1
            while end < len(order) and (end + 1 - start) * len(tokens[order[end]]) <= _TOKENS_AT_ONCE:
                end += 1
            batch = order[start:end]
            embeddings[batch] = self._embed(model, [tokens[place] for place in batch])
            start = end
        return embeddings

    @torch.inference_mode()
    def _embed(self, model: Any, tokens: Sequence[Sequence[int]]) -> Embeddings:
        longest = max(map(len, tokens))
        ids = torch.zeros((len(tokens), longest), dtype=torch.long)
        mask = torch.zeros_like(ids)
        for row, of_text in enumerate(tokens):
            ids[row, : len(of_text)] = torch.tensor(of_text)
            mask[row, : len(of_text)] = 1
        ids, mask = ids.to(self._device), mask.to(self._device)
        outputs = model(input_ids=ids, attention_mask=mask).last_hidden_state
        weights = mask.unsqueeze(-1).to(outputs.dtype)
        means = (outputs * weights).sum(1) / weights.sum(1)
        unit: Embeddings = torch.nn.functional.normalize(means, dim=1).cpu().numpy()
        return unit
