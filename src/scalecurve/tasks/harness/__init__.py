"""Tasks that lm-evaluation-harness itself builds and grades, in a confined process: those whose files hold Python."""
