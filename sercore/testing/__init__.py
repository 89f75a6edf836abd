"""The conformance kit: what plugin authors run against their own backbones and corpora.

Importing a module of it may import pytest; torch and transformers are imported when a check runs.
"""
