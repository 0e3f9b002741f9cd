"""How fast: many requests become few forward passes, every token of a shared prefix computed once.

    requests ─ tokens ─▶ items ─ trie ─▶ packs ─ forward ─▶ log-probs ─▶ outputs

``text`` splits prompts and options into token ids, ``trie`` finds what they share, ``forward`` and ``attention`` run
a pack through an unmodified transformers model, ``score`` and ``generate`` drive them; ``branches`` copies the state
after a shared prefix for models that cannot take a pack, ``padded`` is the sure way for those that cannot do that
either, ``selftest`` finds which way a model takes.
"""
