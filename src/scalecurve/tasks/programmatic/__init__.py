"""BIG-bench's 42 programmatic tasks: code that asks a model what it likes, run apart from us and only on request."""

from scalecurve.tasks.programmatic.runner import ProgramLimits, ProgramOutcome, program_names, run_program

__all__ = ["ProgramLimits", "ProgramOutcome", "program_names", "run_program"]
