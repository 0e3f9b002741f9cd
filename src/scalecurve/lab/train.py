"""``scalecurve lab train``: trains the laboratory's ladder from nothing but its seeds.

Muon for the hidden matrices (orthogonalised momentum; it learns this mixture in about half the tokens AdamW needs),
AdamW for embeddings and norms, linear decay to zero, loss on all text. Resumable: the state of a rung is kept every
few minutes, and a rung whose weights are there is not trained again.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable
from dataclasses import asdict
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from scalecurve.lab import recipe
from scalecurve.lab.data import Rows, prepare, token_rows
from scalecurve.lab.recipe import RungRecipe
from scalecurve.lab.tokenizer import END
from scalecurve.nouns import UserError

WARM_UP_STEPS, SAVE_EVERY_SECONDS = 40, 180
Report = Callable[[str], None]


def train(
    out: Path,
    work: Path,
    rungs: tuple[str, ...] = (),
    steps: int = recipe.STEPS,
    device: str = "auto",
    threads: int | None = None,
    compiled: bool = True,
    report: Report = print,
) -> None:
    """Trains the named rungs (all by default) and writes their weights and cards to ``out``.

    ``work`` holds the tokenised corpus and the unfinished state. The recipe is the same on CPU and CUDA: products in
    bfloat16, everything else in float32, kernels compiled where a C++ compiler is there and ``compiled`` asks for it.
    Raises UserError for an unknown rung and when the loss stops being finite.
    """
    import torch

    known = {rung.name: rung for rung in recipe.RUNGS}
    for name in rungs:
        if name not in known:
            raise UserError(f"lab train: no rung named {name!r}; choose from {', '.join(known)}")
    if threads:
        torch.set_num_threads(threads)
    where = ("cuda" if torch.cuda.is_available() else "cpu") if device == "auto" else device
    report(f"corpus: {steps * recipe.tokens_per_step():,} tokens")
    tokenizer, rows = prepare(
        work, steps * recipe.ROWS_PER_STEP, recipe.CONTEXT, recipe.CORPUS_SEED, recipe.TOKENIZER_SEED
    )
    for rung in (known[name] for name in rungs) if rungs else recipe.RUNGS:
        if (out / rung.name / "model.safetensors").exists():
            report(f"{rung.name}: already trained")
            continue
        _train_rung(rung, tokenizer, rows, steps, out, work, where, compiled, report)
    write_family(out)


def build_model(rung: RungRecipe, tokenizer: Any) -> Any:
    """An untrained Llama of the rung's size (output head tied to the embedding)."""
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    end = tokenizer.token_to_id(END)
    config = LlamaConfig(
        vocab_size=tokenizer.get_vocab_size(),
        hidden_size=rung.width,
        intermediate_size=rung.feed_forward,
        num_hidden_layers=rung.layers,
        num_attention_heads=rung.heads,
        num_key_value_heads=rung.heads,
        max_position_embeddings=recipe.CONTEXT,
        tie_word_embeddings=True,
        initializer_range=0.02 if rung.width >= 64 else 0.05,
        bos_token_id=end,
        eos_token_id=end,
    )
    torch.manual_seed(0)
    return LlamaForCausalLM(config)


def count_parameters(model: Any) -> tuple[int, int]:
    """(non-embedding, total) parameters; the tied embedding counts once."""
    total = sum(parameter.numel() for parameter in model.parameters())
    return total - model.get_input_embeddings().weight.numel(), total


def _optimizers(model: Any, rate: float) -> list[Any]:
    import torch

    hidden = [p for name, p in model.named_parameters() if p.ndim == 2 and "embed" not in name]
    others = [p for name, p in model.named_parameters() if p.ndim != 2 or "embed" in name]
    return [
        torch.optim.Muon(hidden, lr=rate, weight_decay=0.05, adjust_lr_fn="match_rms_adamw"),
        torch.optim.AdamW(others, lr=rate, betas=(0.9, 0.95), weight_decay=0.0),
    ]


def _rate(step: int, steps: int) -> float:
    """Share of the peak learning rate: short warm-up, then a line to zero."""
    return min(1.0, (step + 1) / WARM_UP_STEPS) * (1 - step / steps)


def _train_rung(
    rung: RungRecipe,
    tokenizer: Any,
    rows: Rows,
    steps: int,
    out: Path,
    work: Path,
    device: str,
    compiled: bool,
    report: Report,
) -> None:
    import torch

    model = build_model(rung, tokenizer).to(device)
    optimizers = _optimizers(model, rung.learning_rate)
    state_path = work / f"{rung.name}-{steps}.state"
    done, spent, losses = _resume(state_path, model, optimizers)
    forward = _compiled(model, report) if compiled else model
    started = saved = time.monotonic()
    for step in range(done, steps):
        for optimizer in optimizers:
            for group in optimizer.param_groups:
                group["lr"] = rung.learning_rate * _rate(step, steps)
        batch = rows[step * recipe.ROWS_PER_STEP : (step + 1) * recipe.ROWS_PER_STEP]
        ids = torch.from_numpy(batch.astype(np.int64)).to(device)
        with torch.autocast(device, torch.bfloat16):
            logits = forward(input_ids=ids, use_cache=False).logits
        loss = torch.nn.functional.cross_entropy(logits[:, :-1].float().flatten(0, 1), ids[:, 1:].flatten())
        torch.autograd.backward(loss)
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        for optimizer in optimizers:
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
        losses.append(round(float(loss.detach()), 4))
        if not math.isfinite(losses[-1]):
            raise UserError(f"{rung.name}: the loss became {losses[-1]} at step {step}; lower its learning_rate")
        now = time.monotonic()
        if rung.name == recipe.CHECKPOINT_RUNG and step + 1 in recipe.CHECKPOINT_STEPS:
            _save(model, work, out / f"{rung.name}-step{step + 1}", rung, step + 1, losses, spent + now - started)
        if (step + 1) % 20 == 0 or step + 1 == steps:
            pace = (step + 1 - done) * recipe.tokens_per_step() / (now - started)
            left = (steps - step - 1) * recipe.tokens_per_step() / pace / 60
            recent = sum(losses[-20:]) / 20
            report(f"{rung.name} step {step + 1}/{steps} loss {recent:.3f} {pace:,.0f} tokens/s {left:.1f} min left")
        if now - saved > SAVE_EVERY_SECONDS:
            _keep(state_path, model, optimizers, step + 1, spent + now - started, losses)
            saved = now
    _save(model, work, out / rung.name, rung, steps, losses, spent + time.monotonic() - started)
    state_path.unlink(missing_ok=True)


def _compiled(model: Any, report: Report) -> Any:
    """The model compiled where a C++ compiler allows it, else as it is."""
    import shutil

    import torch

    if shutil.which("g++") is None and not torch.cuda.is_available():
        report("no C++ compiler found: training without compilation (slower, same result within rounding)")
        return model
    return torch.compile(model)


def _keep(path: Path, model: Any, optimizers: list[Any], step: int, seconds: float, losses: list[float]) -> None:
    import torch

    unfinished = path.with_suffix(".unfinished")
    kept = {"model": model.state_dict(), "optimizers": [optimizer.state_dict() for optimizer in optimizers]}
    torch.save({**kept, "step": step, "seconds": seconds, "losses": losses}, unfinished)
    unfinished.replace(path)


def _resume(path: Path, model: Any, optimizers: list[Any]) -> tuple[int, float, list[float]]:
    import torch

    if not path.exists():
        return 0, 0.0, []
    kept = torch.load(path, weights_only=True)
    model.load_state_dict(kept["model"])
    for optimizer, state in zip(optimizers, kept["optimizers"], strict=True):
        optimizer.load_state_dict(state)
    return int(kept["step"]), float(kept["seconds"]), list(kept["losses"])


def validation_loss(model: Any, tokenizer: Any, rows: int = recipe.VALIDATION_ROWS) -> float:
    """Mean cross-entropy in nats per token on documents of another seed, in float32."""
    import torch

    device = next(model.parameters()).device
    total, count = 0.0, 0
    table = list(islice(token_rows(tokenizer, recipe.VALIDATION_SEED, recipe.CONTEXT), rows))
    with torch.inference_mode():
        for start in range(0, rows, 32):
            ids = torch.from_numpy(np.stack(table[start : start + 32]).astype(np.int64)).to(device)
            logits = model(input_ids=ids, use_cache=False).logits[:, :-1].float()
            nats = torch.nn.functional.cross_entropy(logits.flatten(0, 1), ids[:, 1:].flatten(), reduction="sum")
            total, count = total + float(nats), count + ids[:, 1:].numel()
    return total / count


def _save(
    model: Any, work: Path, folder: Path, rung: RungRecipe, step: int, losses: list[float], seconds: float
) -> None:
    """Weights in float16 safetensors, tokenizer and training card, written beside and moved into place."""
    import shutil

    import torch
    from safetensors.torch import save_file
    from tokenizers import Tokenizer

    loss = validation_loss(model, Tokenizer.from_file(str(work / "tokenizer.json")))
    unfinished = folder.with_name(folder.name + ".unfinished")
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir(parents=True)
    model.config.save_pretrained(unfinished)
    weights = {
        name: tensor.detach().to("cpu", torch.float16).contiguous()
        for name, tensor in model.state_dict().items()
        if name != "lm_head.weight"  # tied to the embedding
    }
    save_file(weights, unfinished / "model.safetensors", metadata={"format": "pt"})
    for name in ("tokenizer.json", "tokenizer_config.json"):
        shutil.copy(work / name, unfinished / name)
    non_embedding, total = count_parameters(model)
    tokens = step * recipe.tokens_per_step()
    card = {
        "name": folder.name,
        "recipe": asdict(rung),
        "step": step,
        "params_non_embedding": non_embedding,
        "params_total": total,
        "training_tokens": tokens,
        "training_flops": 6 * non_embedding * tokens,
        "seconds": round(seconds, 1),
        "training_loss_last_50_steps": round(sum(losses[-50:]) / len(losses[-50:]), 4),
        "validation_loss": round(loss, 5),
        "loss_every_20_steps": losses[::20],
    }
    (unfinished / "card.json").write_text(json.dumps(card, indent=1) + "\n")
    shutil.rmtree(folder, ignore_errors=True)
    unfinished.rename(folder)


def write_family(out: Path) -> None:
    """The family files of the trained rungs (``ladder.toml``) and of the checkpoints of one rung."""
    cards = [json.loads(path.read_bytes()) for path in sorted(out.glob("*/card.json"))]
    order = [rung.name for rung in recipe.RUNGS]
    finals = sorted((c for c in cards if c["name"] in order), key=lambda c: order.index(c["name"]))
    (out / "ladder.toml").write_text(_family("lab", ["params_non_embedding", "params_total", "training_flops"], finals))
    last = [card for card in finals if card["name"] == recipe.CHECKPOINT_RUNG]
    steps = sorted((c for c in cards if c["name"] not in order), key=lambda c: int(c["step"]))
    if steps:
        axes = ["training_tokens", "training_flops", "step"]
        (out / "checkpoints.toml").write_text(_family("lab-checkpoints", axes, steps + last))


def _family(name: str, axes: list[str], cards: list[dict[str, Any]]) -> str:
    source = (
        "scalecurve's laboratory: trained by `scalecurve lab train`; FLOPs are 6 x non-embedding parameters x tokens"
    )
    lines = [f'family = "{name}"', f'source = "{source}"', f"axes = {json.dumps(axes)}", ""]
    for card in cards:
        lines += ["[[rung]]", f'name = "{card["name"]}"', 'backend = "transformers"', f'location = "{card["name"]}"']
        for key in ("params_non_embedding", "params_total", "training_tokens", "training_flops", "step"):
            lines.append(f"{key} = {card[key]}")
        lines += [f"loss = {card['validation_loss']}", ""]
    return "\n".join(lines)
