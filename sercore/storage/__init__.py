"""How everything in a workspace is written and read."""
