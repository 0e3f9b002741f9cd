"""Models on this machine: a directory in transformers format, a Hub id, or a GGUF file.

Weights load from safetensors or GGUF only, and code that comes with a model is never run.
"""

from __future__ import annotations

import contextlib
import io
import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scalecurve.errors import UserError
from scalecurve.models import SMALL, Model
from scalecurve.models.adapters import base_of, is_adapter, merged
from scalecurve.models.backend import backend
from scalecurve.models.fingerprint import fingerprint, model_files
from scalecurve.models.kinds import check_folder, check_loading
from scalecurve.models.plausible import check_plausible
from scalecurve.types import Output, Request, Rung

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

    from scalecurve.engine.runner import Runner
    from scalecurve.engine.text import Encoder
    from scalecurve.models.chat import ChatTemplate

log = logging.getLogger("scalecurve")

DTYPES = ("float32", "bfloat16", "float16")
OPTIONS = frozenset({"add_bos_token", "base", "max_length", "engine", "chat", "system", "enable_thinking"})
_LENGTHS = ("n_positions", "max_position_embeddings", "n_ctx")  # the harness's order
DEFAULT_LENGTH = 2048


class LocalModel(Model):
    """A causal language model of transformers, driven by the engine.

    ``forwarded_tokens`` and ``head_positions`` count the tokens that went through the layers and the positions at
    which the vocabulary was scored, since the model was opened.
    """

    constrains = True

    def __init__(
        self, rung: Rung, model: PreTrainedModel, runner: Runner, identity: str, chat: ChatTemplate | None = None
    ) -> None:
        self.name = rung.name
        self.fingerprint = identity
        self._model = model
        self._runner = runner
        self._chat = chat

    @property
    def batch_tokens(self) -> int:
        """Most tokens computed at once."""
        return self._runner.batch_tokens

    @property
    def forwarded_tokens(self) -> int:
        return self._runner.forwarded_tokens

    @property
    def head_positions(self) -> int:
        return self._runner.head_positions

    @property
    def runner(self) -> Runner:
        """The engine itself: its tokenizer's rules (``encoder``), and scoring and writing by token ids."""
        return self._runner

    @property
    def fallback(self) -> str:
        """Why requests do not go in packs; empty when they do."""
        return self._runner.fallback

    @property
    def unshared(self) -> str:
        """Why prefixes that prompts share are computed for each; empty where they are shared, or this was asked for."""
        return "" if self._runner.way != "padded" or self._runner.plain else self._runner.fallback

    def parameters(self) -> tuple[int, int]:
        return count_parameters(self._model)

    def count_tokens(self, text: str) -> int:
        return len(self._runner.encoder.ids([text], special=False)[0])

    def run(self, requests: Sequence[Request], on_output: Callable[[int, Output], None]) -> None:
        chat = self._chat
        if chat is None:
            self._runner.run(requests, on_output)
            return
        asked = [chat.request(request) for request in requests]
        self._runner.run(asked, lambda index, output: on_output(index, chat.reply(asked[index], output)))

    def close(self) -> None:
        self._runner.close()
        self._model = None


@backend("transformers", "gguf")
def open_local(rung: Rung, *, device: str, dtype: str, batch_tokens: int | None) -> LocalModel:
    """Load the weights and tokenizer of ``rung``. Raises ``UserError`` naming the rung, the field and the fix."""
    _check(rung, dtype)
    try:
        import torch
        import transformers
        from safetensors import SafetensorError
    except ImportError as error:
        raise UserError(f"{rung.name}: local models need {error.name}; pip install 'scalecurve[models]'") from None
    from scalecurve.engine.runner import Runner
    from scalecurve.engine.selftest import is_causal
    from scalecurve.engine.text import Encoder
    from scalecurve.models.chat import chat_template

    _all_threads()
    where = pick_device(device)
    source = _source(rung)
    with _quiet(transformers):
        try:
            tokenizer, model = _load(rung, transformers, source, getattr(torch, dtype))
        except UserError:
            raise
        except SafetensorError as error:  # cut short, or no weights at all
            fix = "the weights are damaged; fetch them again"
            raise UserError(f"{rung.name}: location: {rung.location} cannot be loaded: {_line(error)}; {fix}") from None
        except Exception as error:  # loaders fail in ways of their own; odd configurations
            raise UserError(f"{rung.name}: location: {rung.location} cannot be loaded: {_line(error)}") from None
    model.eval().requires_grad_(False)
    model.to(where)
    torch.set_num_threads(1 if count_parameters(model)[1] < SMALL else _all_threads())
    try:
        causal = is_causal(model)
    except Exception as error:  # a configuration that does not fit itself fails in ways of its own
        raise UserError(
            f"{rung.name}: location: {rung.location}: its own forward pass fails: {_line(error)}; see its config.json"
        ) from None
    if not causal:
        raise UserError(
            f"{rung.name}: location: {rung.location} is no causal language model: what comes later changes what it "
            "says of earlier words; only causal language models can be asked"
        )
    encoder = Encoder(tokenizer, _max_length(rung, model.config, tokenizer), rung.options.get("add_bos_token"))
    chat = chat_template(rung, tokenizer)
    if chat:
        encoder.ends |= chat.ends
    runner = Runner(model, encoder, batch_tokens=batch_tokens, plain=rung.options.get("engine") == "plain")
    return LocalModel(rung, model, runner, _identity(rung, dtype, source, chat), chat)


def local_identity(rung: Rung, dtype: str) -> str:
    """The fingerprint of a model whose files are on this machine; "" where they are not, or not as they should be.

    Also "" for a model asked through its chat template, which takes its tokenizer to know.
    """
    if rung.options.get("chat"):
        return ""
    if rung.backend == "transformers" and not Path(rung.location).expanduser().is_dir():
        return ""
    try:
        return _identity(rung, dtype, _source(rung))
    except (UserError, OSError):
        return ""


def _identity(rung: Rung, dtype: str, source: ModelFiles, chat: ChatTemplate | None = None) -> str:
    said: dict[str, object] = {"dtype": dtype, "revision": rung.revision, "options": dict(rung.options)}
    return fingerprint(source.files, said | ({"chat_template": chat.source} if chat else {}))


def open_tokens(rung: Rung) -> Encoder:
    """How ``rung`` makes tokens of texts, without its weights. Raises ``UserError`` as ``open_local`` does.

    Of a repository of the Hub only the tokenizer and the configuration are fetched.
    """
    _check(rung, "float32")
    try:
        import transformers
    except ImportError as error:
        raise UserError(f"{rung.name}: local models need {error.name}; pip install 'scalecurve[models]'") from None
    from scalecurve.engine.text import Encoder

    source, how = _tokenizer_source(rung)
    with _quiet(transformers):
        try:
            tokenizer = transformers.AutoTokenizer.from_pretrained(source, **how)
            config = transformers.AutoConfig.from_pretrained(source, **how)
        except (OSError, ValueError, KeyError, ImportError, RuntimeError) as error:
            raise UserError(f"{rung.name}: location: {rung.location} cannot be loaded: {_line(error)}") from None
    return Encoder(tokenizer, _max_length(rung, config, tokenizer), rung.options.get("add_bos_token"))


def _tokenizer_source(rung: Rung) -> tuple[str, dict[str, object]]:
    """Where transformers finds the tokenizer, and what to tell it."""
    from scalecurve.models.gguf import gguf_file, unpacked_folder

    how: dict[str, object] = {"trust_remote_code": False}
    if rung.backend == "gguf":
        path = gguf_file(rung)
        unpacked = unpacked_folder(path)
        if unpacked is not None and (unpacked / "config.json").is_file():
            return str(unpacked), how
        return str(path.parent), how | {"gguf_file": path.name}
    folder = Path(rung.location).expanduser()
    if folder.is_dir() and is_adapter(folder) and not any(folder.glob("tokenizer*")):
        return _tokenizer_source(base_of(rung, folder))
    if folder.is_dir():
        check_plausible(rung, folder)
    return (str(folder), how) if folder.is_dir() else (rung.location, how | {"revision": rung.revision or None})


@cache
def _all_threads() -> int:
    """The threads torch has when no model has been opened yet."""
    import torch

    return int(torch.get_num_threads())


def _check(rung: Rung, dtype: str) -> None:
    if dtype not in DTYPES:
        raise UserError(f"{rung.name}: dtype: unknown {dtype!r}; one of {', '.join(DTYPES)}")
    for key in rung.options:
        if key not in OPTIONS:
            raise UserError(f"{rung.name}: options: unknown {key!r}; known: {', '.join(sorted(OPTIONS))}")


def pick_device(device: str) -> str:
    """``auto``: the first GPU where there is one, else the processor."""
    import torch

    if device == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    try:
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError):
        raise UserError(f"device: {device!r} is not on this machine; use auto, cpu or cuda") from None
    return device


@dataclass(frozen=True, slots=True)
class ModelFiles:
    """Where transformers loads from, the files that are the model's identity, and the GGUF file or adapter, if any."""

    folder: Path
    files: list[Path]
    gguf: str = ""
    adapter: Path | None = None


def _load(rung: Rung, transformers: Any, source: ModelFiles, dtype: Any) -> tuple[Any, Any]:
    """(tokenizer, model); a GGUF file is kept unpacked, so that it is read once."""
    from scalecurve.models.gguf import keep_unpacked, unpacked_folder

    unpacked = unpacked_folder(source.folder / source.gguf) if source.gguf else None
    ready = unpacked is not None and (unpacked / "config.json").is_file()
    folder = unpacked if unpacked is not None and ready else source.folder
    extra = {"gguf_file": source.gguf} if source.gguf and not ready else {}
    how = {"trust_remote_code": False, **extra}
    own = source.adapter is not None and any(source.adapter.glob("tokenizer*"))
    tokenizer = transformers.AutoTokenizer.from_pretrained(str(source.adapter if own else folder), **how)
    model, found = transformers.AutoModelForCausalLM.from_pretrained(
        str(folder), use_safetensors=True, dtype=dtype, output_loading_info=True, ignore_mismatched_sizes=True, **how
    )
    check_loading(rung, found)
    if source.adapter is not None:
        model = merged(rung, model, source.adapter)
    if unpacked is not None and not ready and str(dtype) == "torch.float32":
        keep_unpacked(unpacked, model, tokenizer)
    return tokenizer, model


def _source(rung: Rung) -> ModelFiles:
    if rung.backend == "gguf":
        from scalecurve.models.gguf import gguf_file

        path = gguf_file(rung)
        return ModelFiles(path.parent, [path], path.name)
    folder = Path(rung.location).expanduser()
    if folder.is_dir():
        if is_adapter(folder):
            return _with_adapter(rung, folder)
        if not list(folder.glob("*.safetensors")):
            raise UserError(f"{rung.name}: location: {folder} has no .safetensors file; other formats are not loaded")
        check_folder(rung, folder)
        check_plausible(rung, folder)
        return ModelFiles(folder, model_files(folder))
    if rung.location.startswith(("/", ".", "~")) or rung.location.count("/") > 1:
        raise UserError(f"{rung.name}: location: {rung.location} is not a directory; give a path or a Hub id")
    return _from_hub(rung)


def _with_adapter(rung: Rung, folder: Path) -> ModelFiles:
    """The files of an adapter and of the model that it was made for."""
    check_plausible(rung, folder)
    base = _source(base_of(rung, folder))
    if base.adapter is not None:
        raise UserError(f"{rung.name}: location: {folder} is an adapter of an adapter; merge the first of the two")
    files = [*base.files, folder / "adapter_config.json", *model_files(folder)]
    return ModelFiles(base.folder, files, base.gguf, folder)


def _from_hub(rung: Rung) -> ModelFiles:
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError

    patterns = ["*.safetensors", "*.safetensors.index.json", "*.json", "*.model", "*.txt", "*.tiktoken"]
    try:
        folder = Path(snapshot_download(rung.location, revision=rung.revision or None, allow_patterns=patterns))
    except (HfHubHTTPError, LocalEntryNotFoundError, OSError, ValueError) as error:
        raise UserError(
            f"{rung.name}: location: {rung.location} cannot be fetched from the Hugging Face Hub: {_line(error)}"
        ) from None
    if is_adapter(folder):
        return _with_adapter(rung, folder)
    if not list(folder.glob("*.safetensors")):
        raise UserError(
            f"{rung.name}: location: {rung.location} has no safetensors weights; other formats are not loaded"
        )
    check_folder(rung, folder)
    check_plausible(rung, folder)
    return ModelFiles(folder, model_files(folder))


def _max_length(rung: Rung, settings: Any, tokenizer: PreTrainedTokenizerBase) -> int:
    """Tokens the model takes: the rung's option, else what the configuration, else what the tokenizer says."""
    given = rung.options.get("max_length")
    if given is not None:
        if not isinstance(given, int) or given < 2:
            raise UserError(f"{rung.name}: options: max_length must be a whole number of 2 or more, not {given!r}")
        return given
    config = settings.get_text_config()
    for name in _LENGTHS:
        length = getattr(config, name, None)
        if isinstance(length, int) and length > 1:  # some write -1 or 0 for "no limit"
            return length
    length = tokenizer.model_max_length
    return int(length) if length and length < 1_000_000 else DEFAULT_LENGTH


def count_parameters(model: PreTrainedModel) -> tuple[int, int]:
    """(non-embedding, total): without input and output embeddings and learned positions; tied weights count once."""
    total = sum(parameter.numel() for parameter in model.parameters())
    import torch

    embeddings = {id(m.weight): m.weight.numel() for m in model.modules() if isinstance(m, torch.nn.Embedding)}
    head = model.get_output_embeddings()
    if head is not None:
        embeddings[id(head.weight)] = head.weight.numel()
    return total - sum(embeddings.values()), total


@contextlib.contextmanager
def _quiet(transformers: Any) -> Iterator[None]:
    """Loading without transformers' own progress bars and advice; our own output says what happens."""
    logging_ = transformers.utils.logging
    level, bars = logging_.get_verbosity(), logging_.is_progress_bar_enabled()
    logging_.set_verbosity_error()
    logging_.disable_progress_bar()
    try:
        with contextlib.redirect_stderr(io.StringIO()):  # the GGUF reader's bar heeds no setting
            yield
    finally:
        logging_.set_verbosity(level)
        if bars:
            logging_.enable_progress_bar()


def _line(error: BaseException) -> str:
    if "trust_remote_code" in str(error):
        return "it needs code of its own, which is never run; take a model that transformers itself knows"
    return " ".join(str(error).split())[:200] or type(error).__name__
