"""WHERE and in which pieces a plan is computed: parts, the state of one model, executors."""
