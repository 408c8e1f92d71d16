"""Learned words: token embeddings that stand for whole prompts (textual inversion)."""

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tgap.core import ContractError, DataError, isolated
from tgap.generators.latent.base import Adapter, LatentModel
from tgap.generators.latent.files.folder import save_texts
from tgap.generators.latent.model import StableDiffusionModel
from tgap.generators.latent.silence import errors_raised_only

if TYPE_CHECKING:
    import torch
    from diffusers import DiffusionPipeline

WEIGHTS = "learned_embeds.safetensors"


@dataclass(frozen=True)
class LearnedWords(Adapter):
    """Words that a text encoder learned.

    Args:
        embeddings: ``(vectors, d)`` float32 on the CPU, by word.
        texts: What is read instead of each prompt.
    """

    embeddings: "Mapping[str, torch.Tensor]"
    texts: Mapping[str, str]

    def save(self, pipeline: "DiffusionPipeline", folder: Path) -> None:
        """Write diffusers' ``learned_embeds.safetensors`` and ``prompts.json``."""
        from safetensors.torch import save_file

        save_file(dict(self.embeddings), folder / WEIGHTS)
        save_texts(self.texts, folder)


def with_new_words(
    model: LatentModel, prompts: Sequence[str], vectors: int
) -> StableDiffusionModel:
    """A copy of a model in which each prompt is read as a new word of several token embeddings.

    The prompt's own token embeddings are cut into as many stretches as the word has embeddings,
    and each starts as the mean of its stretch: at first the word says what the prompt does. The new
    embeddings are the text encoder's last rows.

    Args:
        model: Left as it is; its tokenizer and its one text encoder are copied.
        prompts: Distinct texts.
        vectors: Embeddings per word.

    Raises:
        DataError: If there is not one text encoder that can learn words, or it does not read so
            many.
    """
    if not isinstance(model, StableDiffusionModel) or len(model.text_encoders) != 1:
        raise DataError(several_encoders(len(model.text_encoders)))
    pipeline = model.pipeline
    tokenizer = copy.deepcopy(pipeline.tokenizer)
    if vectors > (most := tokenizer.model_max_length - 2):  # besides begin and end
        raise DataError(too_many_vectors(vectors, most))
    encoder = copy.deepcopy(pipeline.text_encoder).float()  # steps are lost in half precision
    known = encoder.get_input_embeddings().weight.detach()
    taken, number = tokenizer.get_vocab(), 0
    embeddings, texts = {}, {}
    for prompt in prompts:
        # Words that were learned before keep theirs: new ones are learned on top of them.
        while (word := f"<tgap-{number}>") in taken:
            number += 1
        number += 1
        ids = tokenizer(prompt, add_special_tokens=False).input_ids
        embeddings[word], texts[prompt] = _stretches(known[ids], vectors), word
    _teach(pipeline, tokenizer, encoder, embeddings)
    taught = model.with_words(tokenizer, encoder, texts)
    return taught.with_adapter(LearnedWords(embeddings, texts))


def several_encoders(count: int) -> str:
    """What is told of a model in which words cannot be learned."""
    return (
        f"words are learned in one text encoder, and this generator has {count}; use "
        "finetuner=dreambooth_lora, or a generator with one"
    )


def too_many_vectors(vectors: int, most: int) -> str:
    """What is told of words that are longer than prompts may be."""
    return (
        f"finetuner.vectors must be at most {most}, which is what this generator's text encoder "
        f"reads, got {vectors}"
    )


def _stretches(embeddings: "torch.Tensor", count: int) -> "torch.Tensor":
    """``(n, d)`` embeddings to ``(count, d)`` means of stretches, which overlap if n < count."""
    import torch

    n = len(embeddings)
    cuts = [(i * n // count, -(-(i + 1) * n // count)) for i in range(count)]
    return torch.stack([embeddings[start:stop].mean(dim=0) for start, stop in cuts])


def as_learned(model: LatentModel) -> LearnedWords:
    """A model's new words, with the embeddings that they have now."""
    words = model.adapter
    if not isinstance(model, StableDiffusionModel) or not isinstance(words, LearnedWords):
        raise ContractError("this model has no new words")
    pipeline = model.pipeline
    tokenizer, rows = pipeline.tokenizer, pipeline.text_encoder.get_input_embeddings().weight
    embeddings = {}
    for word, given in words.embeddings.items():
        first = tokenizer.convert_tokens_to_ids(word)
        embeddings[word] = rows[first : first + len(given)].detach().cpu().clone()
    return LearnedWords(embeddings, words.texts)


def put_words_on(pipeline: "DiffusionPipeline", file: Path) -> None:
    """Teach a pipeline the words in a file.

    Raises:
        DataError: If they do not fit.
    """
    from safetensors.torch import load_file

    try:
        _teach(pipeline, pipeline.tokenizer, pipeline.text_encoder, load_file(file))
    # Whatever the libraries meet in a file that passed the checks, the file is at fault.
    except Exception as error:
        raise DataError(f"adapter '{file}' does not fit its base model: {error}") from error


def _teach(
    pipeline: Any, tokenizer: Any, encoder: Any, embeddings: "Mapping[str, torch.Tensor]"
) -> None:
    with isolated(0), errors_raised_only():  # new rows are drawn at random before they are set
        pipeline.load_textual_inversion(
            [{word: rows} for word, rows in embeddings.items()],
            tokenizer=tokenizer,
            text_encoder=encoder,
        )
