"""``python -m scalecurve.cli``: the command line of this very interpreter, as batch scripts call it."""

from scalecurve.cli import main

main()
