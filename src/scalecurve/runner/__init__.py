"""WHERE and in which pieces a plan is computed: shards, the state of one model, executors."""
