"""Backbones from transformers checkpoints.

A backbone plugin is a `TransformersBackbone` with a card. ``hf:PATH_OR_REPO`` names any checkpoint
of a supported architecture without a plugin. Importing this package imports neither torch nor
transformers.
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
"""Beginning of the names of checkpoints without a plugin."""


@dataclass(frozen=True)
class TransformersBackbone:
    """A backbone whose weights are a transformers checkpoint.

    Args:
        card: the facts; ``card.family`` selects the loader, ``card.checkpoint`` is searched for.
        folder: the folder of the checkpoint; None to search for it.
    """

    card: BackboneCard
    folder: Path | None = None

    def resolve(self, *, offline: bool) -> Checkpoint:
        """Find the weights without loading them. See `sercore.backbones.Backbone.resolve`.

        Raises:
            BackboneUnavailableError: they are not on this machine and cannot be downloaded.
            BackboneError: the checkpoint does not match the card.
        """
        from sercore.backbones.huggingface import checkpoints

        if self.folder is not None:
            found = checkpoints.CheckpointFolder(self.folder)
            name = self.folder.resolve().name
        else:
            name = str(self.card.checkpoint)
            found = checkpoints.find_checkpoint(name, self.card.revision, offline=offline)
        self._check(found.folder)
        return checkpoints.identify_checkpoint(name, found)

    def load(self, checkpoint: Checkpoint, options: EncoderOptions) -> Encoder:
        """Load the weights. See `sercore.backbones.interface.Backbone.load`.

        Raises:
            BackboneError: a weight is missing or an option does not apply.
        """
        from sercore.backbones.huggingface.families import family_named

        if options.variant is not None and options.variant not in self.card.variants:
            known = ", ".join(sorted(self.card.variants)) or "none"
            raise BackboneError(
                f"{self.card.id} has no variant '{options.variant}'", hint=f"its variants: {known}"
            )
        if checkpoint.location is None:
            raise BackboneError(f"the checkpoint of {self.card.id} has no folder")
        if (error := torchaudio_error()) is not None:
            raise BackboneError(error)
        loader = import_module(family_named(self.card.family).module)
        return cast("Encoder", loader.load(Path(checkpoint.location), self.card, options))

    def _check(self, folder: Path) -> None:
        from sercore.backbones.huggingface.families import read_shape

        family, shape = read_shape(folder)
        card = self.card
        for fact, found, stated in (
            ("family", family.id, card.family),
            ("width", shape.width, card.width),
            ("number of layers", shape.layers, card.layers),
            ("sample rate", shape.sample_rate, card.sample_rate),
        ):
            if found != stated:
                raise BackboneError(
                    f"the checkpoint {folder} is not {card.id}: its {fact} is {found}, "
                    f"and {card.id} has {stated}",
                    hint=f"name it as --backbone {PREFIX}{folder}",
                )


def from_name(name: str, *, offline: bool = True) -> TransformersBackbone:
    """Return the backbone that ``hf:PATH_OR_REPO`` names.

    Args:
        name: ``hf:`` and a folder, or the name of a checkpoint on the hub. If there is no such
            folder, the checkpoint is searched for as in `TransformersBackbone.resolve`.
        offline: do not use the network.

    Raises:
        BackboneUnavailableError: there is no such folder, or the checkpoint is not available.
        BackboneError: its architecture is not supported, or its configuration cannot be used.
    """
    from sercore.backbones.huggingface import checkpoints
    from sercore.backbones.huggingface.families import read_shape

    path_or_repo = name.removeprefix(PREFIX)
    folder = Path(path_or_repo).expanduser()
    is_repo = not folder.is_dir()
    if is_repo:
        if not _may_be_repo(path_or_repo):
            raise BackboneUnavailableError(
                f"there is no folder {folder}",
                hint="name the folder of a transformers checkpoint, or OWNER/NAME on the hub",
            )
        folder = checkpoints.find_checkpoint(path_or_repo, None, offline=offline).folder
    family, shape = read_shape(folder)
    checkpoints.weight_files(folder)
    card = BackboneCard(
        id=name,
        # Reports show the title; the path of a folder on this disk stays out of them.
        title=path_or_repo if is_repo else folder.name,
        family=family.id,
        checkpoint=path_or_repo if is_repo else None,
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
