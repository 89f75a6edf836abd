"""Tests and test data for authors of plugins.

- `backbones`: tests that every backbone must pass;
- `checkpoints`: tiny checkpoints in the layout of the published ones;
- `simulated`: stored runs with simulated predictions.

Only tests, benchmarks and scripts import this package. Its modules may import pytest. They import
torch and transformers when a test runs.
"""
