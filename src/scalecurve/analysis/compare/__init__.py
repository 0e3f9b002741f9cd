"""Two ways of asking, or two of anything, on the same questions."""
