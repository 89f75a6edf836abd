"""A stored run: its matrices, averages, intervals and comparisons."""
