"""Hook specifications, discovery of plugins, and what sercore registers itself."""
