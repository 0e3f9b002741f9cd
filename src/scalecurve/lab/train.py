"""``scalecurve lab train``: trains the laboratory's ladder from nothing but its seeds.

Muon for the hidden matrices (orthogonalised momentum), AdamW for embeddings and norms, warm-up and a line to zero,
attention within documents, little loss on the text of questions. Resumable: the state of a rung is kept every few
minutes, and a rung whose weights are there is not trained again.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable
from dataclasses import asdict, replace
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from scalecurve.errors import UserError
from scalecurve.lab import recipe
from scalecurve.lab.data import Rows, document_numbers, loss_weights, prepare, row_order, token_rows
from scalecurve.lab.model import build_model, count_parameters, loss_module
from scalecurve.lab.recipe import RungRecipe

if TYPE_CHECKING:
    from tokenizers import Tokenizer
    from transformers import PreTrainedModel

SAVE_EVERY_SECONDS = 120
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
    Any rung can be trained with any further seed (``lab-1m-seed1``), also those that are not shipped so. Raises
    UserError for an unknown rung and when the loss stops being finite.
    """
    import torch

    wanted = [_recipe_of(name) for name in rungs] or [*recipe.RUNGS, *recipe.REPEATS]
    if threads:
        torch.set_num_threads(threads)
    where = ("cuda" if torch.cuda.is_available() else "cpu") if device == "auto" else device
    report(f"corpus: {steps * recipe.tokens_per_step():,} tokens")
    tokenizer, rows = prepare(
        work, steps * recipe.ROWS_PER_STEP, recipe.CONTEXT, recipe.CORPUS_SEED, recipe.TOKENIZER_SEED
    )
    for rung in wanted:
        if (out / rung.name / "model.safetensors").exists():
            report(f"{rung.name}: already trained")
            continue
        _train_rung(rung, tokenizer, rows, steps, out, work, where, compiled, report)
    write_family(out)


def _recipe_of(name: str) -> RungRecipe:
    """The recipe of ``lab-1m``, or of ``lab-1m-seed3``: the same with that seed."""
    known = {rung.name: rung for rung in recipe.RUNGS}
    base, found, seed = name.partition("-seed")
    if base not in known or (found and not (seed.isascii() and seed.isdigit() and int(seed) > 0)):
        said = f"{', '.join(known)}, or one with another seed, such as {recipe.RUNGS[0].name}-seed1"
        raise UserError(f"lab train --rung: no rung named {name!r}; choose from {said}")
    return replace(known[base], name=name, seed=int(seed)) if found else known[base]


def _optimizers(model: PreTrainedModel, rung: RungRecipe) -> list[Any]:
    import torch

    hidden = [p for name, p in model.named_parameters() if p.ndim == 2 and "embed" not in name]
    others = [p for name, p in model.named_parameters() if p.ndim != 2 or "embed" in name]
    return [
        torch.optim.Muon(hidden, lr=rung.matrix_rate, weight_decay=recipe.WEIGHT_DECAY, adjust_lr_fn="match_rms_adamw"),
        torch.optim.AdamW(others, lr=rung.vector_rate, betas=(0.9, 0.95), weight_decay=0.0),
    ]


def _rate(step: int, steps: int) -> float:
    """Share of the peak learning rate: short warm-up, then a line to zero."""
    return min(1.0, (step + 1) / recipe.WARM_UP_STEPS) * (1 - step / steps)


def _train_rung(
    rung: RungRecipe,
    tokenizer: Tokenizer,
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
    optimizers = _optimizers(model, rung)
    peaks = (rung.matrix_rate, rung.vector_rate)
    state_path = work / f"{rung.name}-{steps}.state"
    done, spent, losses = _resume(state_path, model, optimizers)
    loss_of = _compiled(loss_module(model), report) if compiled else loss_module(model)
    order = row_order(len(rows), rung.seed)
    started = saved = time.monotonic()
    for step in range(done, steps):
        for optimizer, peak in zip(optimizers, peaks, strict=True):
            for group in optimizer.param_groups:
                group["lr"] = peak * _rate(step, steps)
        batch = rows[order[step * recipe.ROWS_PER_STEP : (step + 1) * recipe.ROWS_PER_STEP]]
        with torch.autocast(device, torch.bfloat16):
            nats, counted = loss_of(*_tensors(tokenizer, batch, recipe.QUESTION_WEIGHT, device))
        loss = nats / counted
        torch.autograd.backward(loss)
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        for optimizer in optimizers:
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
        losses.append(round(float(loss.detach()), 4))
        if not math.isfinite(losses[-1]):
            raise UserError(f"{rung.name}: the loss became {losses[-1]} at step {step}; lower its rates")
        now = time.monotonic()
        if rung.name in recipe.CHECKPOINT_RUNGS and step + 1 in recipe.CHECKPOINT_STEPS:
            _save(model, work, out / f"{rung.name}-step{step + 1}", rung, step + 1, losses, spent + now - started)
        if (step + 1) % 100 == 0 or step + 1 == steps:
            pace = (step + 1 - done) * recipe.tokens_per_step() / (now - started)
            left = (steps - step - 1) * recipe.tokens_per_step() / pace / 60
            recent = sum(losses[-100:]) / len(losses[-100:])
            report(f"{rung.name} step {step + 1}/{steps} loss {recent:.3f} {pace:,.0f} tokens/s {left:.1f} min left")
        if now - saved > SAVE_EVERY_SECONDS:
            _keep(state_path, model, optimizers, step + 1, spent + now - started, losses)
            saved = now
    _save(model, work, out / rung.name, rung, steps, losses, spent + time.monotonic() - started)
    state_path.unlink(missing_ok=True)


def _tensors(tokenizer: Tokenizer, batch: Rows, question_weight: float, device: str) -> tuple[Any, Any, Any]:
    import torch

    ids = torch.from_numpy(np.asarray(batch).astype(np.int64))
    documents = torch.from_numpy(document_numbers(tokenizer, batch))
    weights = torch.from_numpy(loss_weights(tokenizer, batch, question_weight))
    return ids.to(device), documents.to(device), weights.to(device)


def _compiled(model: PreTrainedModel, report: Report) -> Any:
    """The module compiled where a C++ compiler allows it, else as it is."""
    import shutil

    import torch

    if shutil.which("g++") is None and not torch.cuda.is_available():
        report("no C++ compiler found: training without compilation (slower, same result within rounding)")
        return model
    return torch.compile(model)


def _keep(
    path: Path, model: PreTrainedModel, optimizers: list[Any], step: int, seconds: float, losses: list[float]
) -> None:
    import torch

    unfinished = path.with_suffix(".unfinished")
    kept = {"model": model.state_dict(), "optimizers": [optimizer.state_dict() for optimizer in optimizers]}
    torch.save({**kept, "step": step, "seconds": seconds, "losses": losses}, unfinished)
    unfinished.replace(path)


def _resume(path: Path, model: PreTrainedModel, optimizers: list[Any]) -> tuple[int, float, list[float]]:
    import torch

    if not path.exists():
        return 0, 0.0, []
    kept = torch.load(path, weights_only=True)
    model.load_state_dict(kept["model"])
    for optimizer, state in zip(optimizers, kept["optimizers"], strict=True):
        optimizer.load_state_dict(state)
    return int(kept["step"]), float(kept["seconds"]), list(kept["losses"])


def validation_loss(model: PreTrainedModel, tokenizer: Tokenizer) -> float:
    """Mean cross-entropy in nats per token of answers and statements of another seed, in float32."""
    import torch

    device = str(next(model.parameters()).device)
    total, count, rows = 0.0, 0.0, recipe.VALIDATION_ROWS
    table = np.stack(list(islice(token_rows(tokenizer, recipe.VALIDATION_SEED, recipe.CONTEXT), rows)))
    loss_of = loss_module(model)
    with torch.inference_mode():
        for start in range(0, rows, 16):
            nats, counted = loss_of(*_tensors(tokenizer, table[start : start + 16], 0.0, device))
            total, count = total + float(nats), count + float(counted)
    return total / count


def _save(
    model: PreTrainedModel, work: Path, folder: Path, rung: RungRecipe, step: int, losses: list[float], seconds: float
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
        "training_loss_last_100_steps": round(sum(losses[-100:]) / len(losses[-100:]), 4),
        "validation_loss": round(loss, 5),
        "loss_every_50_steps": losses[::50],
    }
    (unfinished / "card.json").write_text(json.dumps(card, indent=1) + "\n")
    shutil.rmtree(folder, ignore_errors=True)
    unfinished.rename(folder)


def write_family(out: Path) -> None:
    """The family files of what is trained: the ladder, the same with each further seed, the checkpoints of a rung."""
    cards = {card["name"]: card for card in (json.loads(path.read_bytes()) for path in sorted(out.glob("*/card.json")))}
    sizes = ["params_non_embedding", "params_total", "training_flops"]
    finals = [cards[rung.name] for rung in recipe.RUNGS if rung.name in cards]
    (out / "ladder.toml").write_text(_family("lab", sizes, finals))
    for seed in recipe.SEEDS:
        again = {name: f"{name}-seed{seed}" for name in recipe.REPEATED_RUNGS}
        if all(name in cards for name in again.values()):
            text = _family(f"lab-seed{seed}", sizes, [cards[again.get(c["name"], c["name"])] for c in finals])
            (out / f"ladder-seed{seed}.toml").write_text(text)
    for name in recipe.CHECKPOINT_RUNGS:
        steps = [card for card in cards.values() if card["name"].startswith(f"{name}-step")]
        if steps and name in cards:
            sequence = [*sorted(steps, key=lambda card: int(card["step"])), cards[name]]
            main = name == recipe.CHECKPOINT_RUNGS[0]
            family = "lab-checkpoints" if main else f"{name}-checkpoints"
            file = "checkpoints.toml" if main else f"checkpoints-{name.removeprefix('lab-')}.toml"
            axes = ["training_tokens", "training_flops", "step"]
            (out / file).write_text(_family(family, axes, sequence))


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
