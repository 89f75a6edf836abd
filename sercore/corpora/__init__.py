"""Corpora: what one is, how its files are found and read, and its manifest."""

from __future__ import annotations

from sercore.corpora.interface import READINGS as READINGS
from sercore.corpora.interface import Corpus as Corpus
from sercore.corpora.interface import CorpusCard as CorpusCard
from sercore.corpora.interface import Counts as Counts
from sercore.corpora.interface import Download as Download
from sercore.corpora.interface import GeneratedCorpus as GeneratedCorpus
from sercore.corpora.interface import Scan as Scan
from sercore.corpora.interface import Utterance as Utterance
from sercore.corpora.interface import classes_of as classes_of
from sercore.corpora.interface import label_of as label_of
from sercore.corpora.problems import Problem as Problem
