"""Probes: the small models that are trained on frozen frames, stored, and used again.

- `interface`: what a probe and a trained probe are;
- `framewise`, `pooled`, `logistic`: the built-in probes;
- `training_recipe`, `training`, `perceptron`, `fitted_perceptron`: the perceptron behind the first
  two;
- `mean_pooling`: mean frames, for probes that pool first;
- `frame_reader`: batches of frames from memory maps;
- `batched_inference`: many probes on one corpus, whose frames are read once;
- `store`: trained probes on disk.
"""
