"""Result bundles: one file that holds the results of a run and can be given to others.

A bundle is a zip file with a small read-only workspace: scores, predictions, the record of the run,
and of each corpus and probe only what statistics need. It holds no audio, no text, no name of an
utterance or a speaker, no path, and no name of a machine. The same run gives the same bytes.
"""
