"""Which model answers a call, how, and what it costs."""
