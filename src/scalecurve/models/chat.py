"""Chat templates: a request put to an instruction model in the turns it was trained on.

The template comes with the tokenizer (of a directory, a Hub id or a GGUF file). The whole prompt becomes the user's
turn, without outer blanks; an option or a text begins the model's turn, an option without the blank that would part it
from a prompt. A template writes the beginning-of-text token itself, and then the tokenizer adds none.
"""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from typing import TYPE_CHECKING

from scalecurve.errors import UserError
from scalecurve.types import Output, Request, Rung
from scalecurve.util.thinking import opened_by

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

DATE = "26 July 2024"
"""What a template that writes today's date is told, so that equal requests stay equal."""

_FIXED_DATE = f"{{%- macro strftime_now(format) -%}}{DATE}{{%- endmacro -%}}"
_MARK = "\u2042 the reply \u2042"


class ChatTemplate:
    """The template of ``tokenizer``, with a ``system`` prompt ("" for none, or the template's own).

    ``enable_thinking`` is told to templates that know it (None: what the template does by itself), a request's
    ``effort`` as ``reasoning_effort``. ``source`` is the template's text. ``ends`` are the token ids that end the
    model's turn.
    """

    def __init__(
        self, name: str, tokenizer: PreTrainedTokenizerBase, system: str = "", enable_thinking: bool | None = None
    ) -> None:
        try:
            template = str(tokenizer.get_chat_template())
        except ValueError:
            raise UserError(
                f"{name}: options: chat: its tokenizer has no chat template; leave chat out, or take the "
                "instruction-tuned model"
            ) from None
        self.source = template
        self._template = _FIXED_DATE + template if "strftime_now" in template else template
        self._name, self._tokenizer = name, tokenizer
        self._system = [{"role": "system", "content": system}] if system else []
        self._settings: dict[str, object] = {} if enable_thinking is None else {"enable_thinking": enable_thinking}
        self._in_parts = False
        self._check()  # what is wrong with the template or the system prompt shows at once
        self.text = lru_cache(maxsize=1024)(self._text)
        self.ends = self._ends_of_turn()

    def request(self, request: Request) -> Request:
        """``request`` with its prompt in the user's turn."""
        options = tuple(option.lstrip() or option for option in request.options)
        return replace(request, prompt=self.text(request.prompt, request.effort), options=options)

    def reply(self, asked: Request, output: Output) -> Output:
        """``output`` with the thinking tag before its texts that the template wrote into the prompt ``asked``."""
        opened = opened_by(asked.prompt)
        return replace(output, texts=tuple(opened + text for text in output.texts)) if opened else output

    def _check(self) -> None:
        """Find how the template takes a turn's content, a text or a list of parts: a mark must come out of it."""
        reasons = []
        for self._in_parts in (False, True):
            try:
                if _MARK in self._text(_MARK):
                    return
            except UserError as error:
                reasons.append(error)
        if reasons:
            raise reasons[0]
        raise UserError(
            f"{self._name}: options: chat: its chat template leaves out the user's turn; leave chat out, or mend the "
            "template"
        )

    def _text(self, prompt: str, effort: str = "") -> str:
        turns = [*self._system, {"role": "user", "content": prompt.strip()}]
        return self._render(turns, reply_follows=True, effort=effort)

    def _render(self, turns: list[dict[str, str]], *, reply_follows: bool, effort: str = "") -> str:
        import jinja2

        settings = self._settings | ({"reasoning_effort": effort} if effort else {})
        try:
            text = self._tokenizer.apply_chat_template(
                [self._turn(turn) for turn in turns],
                chat_template=self._template,
                tokenize=False,
                add_generation_prompt=reply_follows,
                **settings,
            )
        except (jinja2.TemplateError, TypeError, ValueError) as error:
            fix = "leave system out" if self._system else "leave chat out"
            reason = " ".join(str(error).split())[:200]
            raise UserError(f"{self._name}: options: its chat template refuses this ({reason}); {fix}") from None
        return str(text)

    def _turn(self, turn: dict[str, str]) -> dict[str, object]:
        content = turn["content"]
        return {**turn, "content": [{"type": "text", "text": content}] if self._in_parts else content}

    def _ends_of_turn(self) -> frozenset[int]:
        """The first token of its own kind (an added token) that the template writes after a reply."""
        turns = [*self._system, {"role": "user", "content": "?"}, {"role": "assistant", "content": _MARK}]
        try:
            after = self._render(turns, reply_follows=False).rpartition(_MARK)[2]
        except UserError:  # a template for a single question; the model's own end of text must do
            return frozenset()
        ids = self._tokenizer(after, add_special_tokens=False)["input_ids"]
        written = self._tokenizer.added_tokens_decoder  # in some vocabularies line breaks are such tokens too
        added = {number for number, token in written.items() if str(token).strip()} | {*self._tokenizer.all_special_ids}
        return frozenset(next(([int(one)] for one in ids if one in added), []))


def chat_template(rung: Rung, tokenizer: PreTrainedTokenizerBase) -> ChatTemplate | None:
    """The template by which ``rung`` is asked; None unless its options have ``chat = true``."""
    chat, system = rung.options.get("chat", False), rung.options.get("system", "")
    if not isinstance(chat, bool) or not isinstance(system, str):
        raise UserError(f"{rung.name}: options: chat must be true or false, and system a text")
    if system and not chat:
        raise UserError(f"{rung.name}: options: system needs chat = true")
    thinking = rung.options.get("enable_thinking")
    if thinking is not None and not (chat and isinstance(thinking, bool)):
        raise UserError(f"{rung.name}: options: enable_thinking must be true or false, and needs chat = true")
    return ChatTemplate(rung.name, tokenizer, system, thinking) if chat else None
