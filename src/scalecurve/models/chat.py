"""Chat templates: a request put to an instruction model in the turns it was trained on.

The template comes with the tokenizer (of a directory, a Hub id or a GGUF file). The whole prompt becomes the user's
turn, without outer blanks; an option or a text begins the model's turn, an option without the blank that would part it
from a prompt. A template writes the beginning-of-text token itself, and then the tokenizer adds none.
"""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from typing import Any

from scalecurve.nouns import Request, Rung, UserError

DATE = "26 July 2024"
"""What a template that writes today's date is told, so that equal requests stay equal."""

_FIXED_DATE = f"{{%- macro strftime_now(format) -%}}{DATE}{{%- endmacro -%}}"
_MARK = "\u2042 the reply \u2042"


class ChatTemplate:
    """The template of ``tokenizer``, with a ``system`` prompt ("" for none, or the template's own).

    ``source`` is the template's text. ``ends`` are the token ids that end the model's turn.
    """

    def __init__(self, name: str, tokenizer: Any, system: str = "") -> None:
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
        self.text = lru_cache(maxsize=1024)(self._text)
        self.text("")  # what is wrong with the template or the system prompt shows at once
        self.ends = self._ends_of_turn()

    def request(self, request: Request) -> Request:
        """``request`` with its prompt in the user's turn."""
        options = tuple(option.lstrip() or option for option in request.options)
        return replace(request, prompt=self.text(request.prompt), options=options)

    def _text(self, prompt: str) -> str:
        return self._render([*self._system, {"role": "user", "content": prompt.strip()}], reply_follows=True)

    def _render(self, turns: list[dict[str, str]], *, reply_follows: bool) -> str:
        import jinja2

        try:
            text = self._tokenizer.apply_chat_template(
                turns, chat_template=self._template, tokenize=False, add_generation_prompt=reply_follows
            )
        except (jinja2.TemplateError, TypeError, ValueError) as error:
            fix = "leave system out" if self._system else "leave chat out"
            reason = " ".join(str(error).split())[:200]
            raise UserError(f"{self._name}: options: its chat template refuses this ({reason}); {fix}") from None
        return str(text)

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


def chat_template(rung: Rung, tokenizer: Any) -> ChatTemplate | None:
    """The template by which ``rung`` is asked; None unless its options have ``chat = true``."""
    chat, system = rung.options.get("chat", False), rung.options.get("system", "")
    if not isinstance(chat, bool) or not isinstance(system, str):
        raise UserError(f"{rung.name}: options: chat must be true or false, and system a text")
    if system and not chat:
        raise UserError(f"{rung.name}: options: system needs chat = true")
    return ChatTemplate(rung.name, tokenizer, system) if chat else None
