# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Evaluate a backbone in a notebook
#
# This notebook compares two ways to hear emotion on two small synthetic corpora. It needs no data, no
# weights and no network. Its scores are demo scores, not results.
#
# Install: `pip install 'sercore[notebook,report]'`.

# %%
import tempfile

import sercore

workspace = tempfile.mkdtemp()  # leave this out to keep the results

# %% [markdown]
# ## Five lines
#
# A corpus and a backbone are named as on the command line. `logmel` is the baseline without weights.
# `logistic` is the fastest probe; leave it out for the probe of the benchmark.

# %%
result = sercore.evaluate(
    ["demo-stage", "demo-studio"], "logmel", probes="logistic", workspace=workspace
)
result

# %% [markdown]
# The display shows averages with 95 % intervals over speakers and seeds. The matrix has the training
# corpora as rows and the test corpora as columns: cells off the diagonal are out-of-domain.

# %%
result.matrix()

# %% [markdown]
# One row per cell, with its interval, the score of the best blind guess, and counts:

# %%
result.scores()[["train_corpus", "test_corpus", "value", "low", "high", "chance", "n_test"]]

# %% [markdown]
# ## Your own encoder
#
# A function takes a waveform (float32, mono) and a sample rate and returns frames, or one vector. With
# an attribute `version`, its frames are stored; change the version when you change the code.

# %%
import numpy as np


def energy(waveform, rate):
    """Return the log energy of every 20 ms."""
    hop = rate // 50
    blocks = waveform[: len(waveform) // hop * hop].reshape(-1, hop)
    return np.log(np.mean(blocks**2, axis=1, keepdims=True) + 1e-8)


energy.version = "1"

both = sercore.evaluate(
    ["demo-stage", "demo-studio"],
    ["logmel", energy],
    probes="logistic",
    workspace=workspace,
    name="both",
)
both.leaderboard()[["backbone", "reduction", "mean", "low", "high"]]

# %% [markdown]
# ## Compare and report
#
# `compare` pairs the cells of two runs. Nothing was computed twice: the cells of `logmel` are equal.

# %%
result.compare(both)[["backbone", "train", "test", "difference", "verdict"]]

# %%
both.report()

# %% [markdown]
# The report is one HTML file that works offline. `sercore.load("both", workspace=...)` reads the run
# again, and `sercore report both --workspace ...` does the same on the command line.
