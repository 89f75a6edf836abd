"""Uncertainty of scores and verdicts about backbones: pure functions of arrays.

Nothing here draws random numbers. Intervals come from jackknives with quantiles of Student's t;
``docs/statistics.md`` shows how often they hold the truth in simulations.

- `answers`: from labels and predictions to confusion counts over speakers;
- `intervals`: variance components, degrees of freedom, intervals and the notes beside them;
- `jackknife`: one cell, from the confusion counts of its speakers;
- `seeds`: training with other seeds as a second component, with moderated variances;
- `differences`: one cell minus another;
- `averages`: averages of cells and differences between averages;
- `crossed`, `verdicts`, `posterior`, `ties`: which backbone is better on other corpora like these;
- `paired`: which backbone is better on these corpora;
- `leak`: what a score loses when no speaker is in both train and test part;
- `chance`: the best score without hearing the sound;
- `ranks`: the classical rank tests, with the reason not to rely on them here;
- `sentences`: verdicts in words.
"""
