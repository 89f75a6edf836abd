"""Load a model, and raise an error where transformers only logs a warning."""

from __future__ import annotations

import re
from collections.abc import Iterable
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

# Used only for masking in pre-training; some published files leave it out.
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

    Transformers fills missing weights with random numbers and logs a warning. This function raises
    an error instead. Unknown weights are an error too, unless their name begins as in `dropped`.

    Args:
        model_class: the class of the part that is used.
        folder: the checkpoint.
        options: gives the device.
        config: a configuration of another class than the model's own.
        renamed: regular expressions that turn names in the file into names in the model.
        dropped: beginnings of the names of weights that are left out on purpose.

    Raises:
        BackboneError: a weight is missing, unknown, of the wrong shape, or cannot be read.
    """
    device = torch.device(options.device)
    files = weight_files(folder)
    try:
        with quiet():
            model, report = model_class.from_pretrained(
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
        # Truncated files, pickled code and wrong shapes raise exceptions of different libraries.
        raise BackboneError(
            f"the weights in {folder} cannot be loaded: {' '.join(str(error).split())}",
            hint="copy or download the checkpoint again",
        ) from error
    _check_names(folder, report["missing_keys"], report["unexpected_keys"], dropped)
    return model.eval().requires_grad_(requires_grad=False).to(device)


def _check_names(
    folder: Path, missing: Iterable[str], unknown: Iterable[str], dropped: Sequence[str]
) -> None:
    """Check that the file and the model have the same weights.

    Raises:
        BackboneError: a weight is missing or unknown.
    """
    if missing := sorted(set(missing) - _UNUSED):
        raise BackboneError(
            f"the weights in {folder} lack {_shortened(missing)}",
            hint="the checkpoint is not complete, or not of the type that its config.json states",
        )
    pattern = re.compile("|".join(map(re.escape, dropped)) or r"(?!)")
    if unknown := sorted(name for name in unknown if not pattern.match(name)):
        raise BackboneError(
            f"the weights in {folder} hold {_shortened(unknown)}, which the architecture does not "
            "have",
            hint="the checkpoint is not of the type that its config.json states",
        )


def load_extractor(extractor_class: Any, folder: Path) -> Any:
    """Load a feature extractor from preprocessor_config.json of the checkpoint.

    Raises:
        BackboneError: the file cannot be used.
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
    """Switch off the log messages and progress bars of transformers."""
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


def _shortened(names: Sequence[str]) -> str:
    """Return the first three names, and how many more there are."""
    shown = ", ".join(names[:3])
    return f"{shown} and {len(names) - 3} more" if len(names) > 3 else shown
