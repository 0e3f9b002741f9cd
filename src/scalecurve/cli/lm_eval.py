"""``scalecurve lm-eval``: lm-evaluation-harness with scalecurve's engine among its models."""

from __future__ import annotations

import typer

from scalecurve.cli._app import app


@app.command(
    "lm-eval",
    add_help_option=False,
    context_settings={"allow_extra_args": True, "ignore_unknown_options": True},
)
def lm_eval(context: typer.Context) -> None:
    """Run lm-evaluation-harness with all its arguments; it then knows --model scalecurve. Its help: lm-eval run -h."""
    import sys

    from scalecurve.errors import UserError

    if context.args in (["--help"], ["-h"]):
        print(context.get_help())
        return
    try:
        from lm_eval.__main__ import cli_evaluate

        import scalecurve.io.lm_eval_model  # noqa: F401  (registers the model)
    except ImportError as error:
        raise UserError(f"lm-eval: {error.name} is not installed; pip install 'scalecurve[models]' lm_eval") from None
    sys.argv = ["lm-eval", *context.args]
    cli_evaluate()
