"""Backbones: what a backbone is, and backbones from transformers checkpoints."""

from __future__ import annotations

from sercore.backbones.interface import MAX_SECONDS as MAX_SECONDS
from sercore.backbones.interface import AudioPath as AudioPath
from sercore.backbones.interface import Backbone as Backbone
from sercore.backbones.interface import BackboneCard as BackboneCard
from sercore.backbones.interface import Checkpoint as Checkpoint
from sercore.backbones.interface import EncodedUtterance as EncodedUtterance
from sercore.backbones.interface import Encoder as Encoder
from sercore.backbones.interface import EncoderOptions as EncoderOptions
from sercore.backbones.interface import split_name as split_name
