"""Loading a model so that nothing can go wrong in silence."""

from __future__ import annotations

import re
from collections.abc import Iterator
from collections.abc import Mapping
from collections.abc import Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING
from typing import Any

import torch

from sercore.backbones.huggingface.checkpoints import weight_files
from sercore.errors import BackboneError

if TYPE_CHECKING:
    from sercore.backbones.interface import EncoderOptions

# Serves masking during pre-training only, so that some published files leave it out.
_UNUSED = frozenset({"masked_spec_embed"})


def load_model(
    model_class: Any,
    folder: Path,
    options: EncoderOptions,
    *,
    config: Any = None,
    renamed: Mapping[str, str] | None = None,
    dropped: Sequence[str] = (),
) -> Any:
    """Load a model in float32 and move it to its device.

    Transformers fills missing weights with random numbers and only logs that it did; here that is
    an error, as is a weight that belongs to none of the parts left out on purpose.

    Args:
        model_class: the class of the part that is used.
        folder: the checkpoint.
        options: says which device.
        config: a configuration read with another class than the model's own.
        renamed: names in the file to names in the model, as regular expressions.
        dropped: what names of weights may begin with that are left out on purpose.

    Raises:
        BackboneError: a weight is missing, unknown, of the wrong shape, or cannot be read.
    """
    device = torch.device(options.device)
    files = weight_files(folder)
    try:
        with quiet():
            model, info = model_class.from_pretrained(
                folder,
                config=config,
                key_mapping=dict(renamed or {}) or None,
                dtype=torch.float32,
                output_loading_info=True,
                local_files_only=True,
                use_safetensors="safetensors" in files[0],
                weights_only=True,
            )
    except Exception as error:
        # Truncated, pickled with code, other shapes: each has its own exception in its library.
        raise BackboneError(
            f"the weights in {folder} cannot be loaded: {' '.join(str(error).split())}",
            hint="copy or download the checkpoint again",
        ) from error
    missing = sorted(set(info["missing_keys"]) - _UNUSED)
    if missing:
        raise BackboneError(
            f"the weights in {folder} lack {_some(missing)}",
            hint="the checkpoint is not complete, or not of the type that its config.json says",
        )
    pattern = re.compile("|".join(map(re.escape, dropped)) or r"(?!)")
    unknown = sorted(key for key in info["unexpected_keys"] if not pattern.match(key))
    if unknown:
        raise BackboneError(
            f"the weights in {folder} hold {_some(unknown)}, which its architecture does not have",
            hint="the checkpoint is not of the type that its config.json says",
        )
    return model.eval().requires_grad_(requires_grad=False).to(device)


def load_extractor(extractor_class: Any, folder: Path) -> Any:
    """Load a feature extractor from the checkpoint's own preprocessor_config.json.

    Raises:
        BackboneError: the file is not usable.
    """
    try:
        return extractor_class.from_pretrained(folder, local_files_only=True)
    except Exception as error:
        raise BackboneError(
            f"the feature extractor in {folder} cannot be loaded: {' '.join(str(error).split())}",
            hint="copy the whole folder of the checkpoint",
        ) from error


@contextmanager
def quiet() -> Iterator[None]:
    """Keep reports and progress bars of transformers off the terminal."""
    from transformers.utils import logging

    level = logging.get_verbosity()
    bars = logging.is_progress_bar_enabled()
    logging.set_verbosity_error()  # type: ignore[no-untyped-call]
    logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    try:
        yield
    finally:
        logging.set_verbosity(level)
        if bars:
            logging.enable_progress_bar()  # type: ignore[no-untyped-call]


def _some(names: Sequence[str]) -> str:
    shown = ", ".join(names[:3])
    return f"{shown} and {len(names) - 3} more" if len(names) > 3 else shown
