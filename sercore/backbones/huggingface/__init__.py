"""The one way a transformers checkpoint becomes an encoder.

A backbone plugin is a card over `TransformersBackbone`; ``hf:PATH_OR_REPO`` gives any checkpoint of
a supported architecture without a plugin. Importing this imports neither torch nor transformers.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING
from typing import cast

from sercore.backbones.interface import BackboneCard
from sercore.environment import torchaudio_error
from sercore.errors import BackboneError
from sercore.errors import BackboneUnavailableError

if TYPE_CHECKING:
    from sercore.backbones.interface import Checkpoint
    from sercore.backbones.interface import Encoder
    from sercore.backbones.interface import EncoderOptions

PREFIX = "hf:"
"""What the name of a checkpoint without a plugin begins with."""


@dataclass(frozen=True)
class TransformersBackbone:
    """A backbone whose weights are a transformers checkpoint.

    Args:
        card: the facts; ``card.family`` chooses the loader, ``card.checkpoint`` is looked for.
        folder: where the checkpoint lies, if that is known; it is searched for otherwise.
    """

    card: BackboneCard
    folder: Path | None = None

    def resolve(self, *, offline: bool) -> Checkpoint:
        """Find the weights without loading them. See `sercore.backbones.Backbone.resolve`.

        Raises:
            BackboneUnavailableError: they are neither on this machine nor reachable.
            BackboneError: what was found is not what the card describes.
        """
        from sercore.backbones.huggingface import checkpoints

        if self.folder is not None:
            found = checkpoints.Found(self.folder)
            name = self.folder.resolve().name
        else:
            name = str(self.card.checkpoint)
            found = checkpoints.find(name, self.card.revision, offline=offline)
        self._check(found.folder)
        return checkpoints.describe(name, found)

    def load(self, checkpoint: Checkpoint, options: EncoderOptions) -> Encoder:
        """Load the weights. See `sercore.backbones.interface.Backbone.load`.

        Raises:
            BackboneError: a weight is missing or an option does not apply.
        """
        from sercore.backbones.huggingface.families import family_named

        if options.variant is not None and options.variant not in self.card.variants:
            known = ", ".join(sorted(self.card.variants)) or "none"
            raise BackboneError(
                f"{self.card.id} has no variant '{options.variant}'", hint=f"it has {known}"
            )
        if checkpoint.location is None:
            raise BackboneError(f"the checkpoint of {self.card.id} names no folder")
        if (error := torchaudio_error()) is not None:
            raise BackboneError(error)
        loader = import_module(family_named(self.card.family).module)
        return cast("Encoder", loader.load(Path(checkpoint.location), self.card, options))

    def _check(self, folder: Path) -> None:
        from sercore.backbones.huggingface.families import read_shape

        family, shape = read_shape(folder)
        card = self.card
        for what, found, stated in (
            ("family", family.id, card.family),
            ("width", shape.width, card.width),
            ("number of layers", shape.layers, card.layers),
            ("sample rate", shape.sample_rate, card.sample_rate),
        ):
            if found != stated:
                raise BackboneError(
                    f"the checkpoint {folder} is not {card.id}: its {what} is {found}, "
                    f"and {card.id} has {stated}",
                    hint=f"use it under its own name with --backbone {PREFIX}{folder}",
                )


def from_name(name: str, *, offline: bool = True) -> TransformersBackbone:
    """Return the backbone that ``hf:PATH_OR_REPO`` names.

    Args:
        name: ``hf:`` and a folder, or the name of a checkpoint on the hub. What is not a folder on
            this disk is looked for as in `TransformersBackbone.resolve`.
        offline: never ask the network.

    Raises:
        BackboneUnavailableError: there is no such folder, or the checkpoint is not to be had.
        BackboneError: its architecture is not supported, or its configuration is not usable.
    """
    from sercore.backbones.huggingface import checkpoints
    from sercore.backbones.huggingface.families import read_shape

    place = name.removeprefix(PREFIX)
    folder = Path(place).expanduser()
    is_repo = not folder.is_dir()
    if is_repo:
        if not _may_be_repo(place):
            raise BackboneUnavailableError(
                f"there is no folder {folder}",
                hint="name the folder of a transformers checkpoint, or OWNER/NAME on the hub",
            )
        folder = checkpoints.find(place, None, offline=offline).folder
    family, shape = read_shape(folder)
    checkpoints.weight_files(folder)
    card = BackboneCard(
        id=name,
        # Where a checkpoint lies on one disk is nobody's business in a report.
        title=place if is_repo else folder.name,
        family=family.id,
        checkpoint=place if is_repo else None,
        licence=None,
        sample_rate=shape.sample_rate,
        width=shape.width,
        layers=shape.layers,
        frame_rate=shape.frame_rate,
        parameters=None,
        variants=family.variants,
        tolerance=family.tolerance,
    )
    return TransformersBackbone(card, None if is_repo else folder)


def _may_be_repo(text: str) -> bool:
    return not text.startswith((".", "/", "~")) and text.count("/") <= 1 and bool(text)
