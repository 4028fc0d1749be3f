"""Understanding queries: markup, tokens, typos, and the boolean tree."""
