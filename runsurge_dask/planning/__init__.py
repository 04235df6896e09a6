"""How many chunks, where to cut, and whether cutting pays."""
