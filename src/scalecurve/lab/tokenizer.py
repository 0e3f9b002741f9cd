"""The laboratory's tokenizer: byte-level BPE of 1,024 tokens, trained on the corpus.

Digits are single tokens and a space before a digit is its own token, so that columns of a sum line up; letters keep
their space, as in most published tokenizers; every other character (emoji among them) stands alone. Byte-level, so
any text can be encoded.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tokenizers import Tokenizer

VOCABULARY = 1024
END = "<|endoftext|>"  # begins every document and prompt, ends every document
SPLIT = r" ?[A-Za-z]+|\d| |\n|[^\sA-Za-z\d]|\s"


def train_tokenizer(texts: Iterable[str]) -> Tokenizer:
    """A ``tokenizers.Tokenizer`` trained on ``texts``; it puts ``END`` in front of what it encodes."""
    from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, processors, trainers

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(SPLIT), behavior="isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY,
        special_tokens=[END],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    end = tokenizer.token_to_id(END)
    tokenizer.post_processor = processors.TemplateProcessing(single=f"{END} $A", special_tokens=[(END, end)])
    return tokenizer


def save_tokenizer(tokenizer: Tokenizer, folder: str) -> None:
    """Writes ``tokenizer.json`` and its configuration as transformers reads them."""
    from transformers import PreTrainedTokenizerFast

    PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, bos_token=END, eos_token=END, clean_up_tokenization_spaces=False
    ).save_pretrained(folder)
