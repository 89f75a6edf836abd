"""`evaluate`: corpora x backbones from Python, with the defaults of ``sercore run``."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable
from collections.abc import Mapping
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING
from typing import Any

from sercore.devices import wait_passively
from sercore.errors import SercoreError
from sercore.errors import SettingsError
from sercore.notebook.functions import function_backbone
from sercore.notebook.progress import choose_observer
from sercore.notebook.result import Result
from sercore.plugins.registry import registry
from sercore.results.stored_run import StoredRun
from sercore.results.stored_run import read_run
from sercore.runs.api import execute
from sercore.runs.api import prepare
from sercore.runs.events import RunOptions
from sercore.runs.selection import BASE_SEED
from sercore.runs.selection import select
from sercore.settings import open_workspace
from sercore.settings import read_settings
from sercore.settings import with_sources

if TYPE_CHECKING:
    from sercore.backbones.interface import Backbone
    from sercore.runs.events import RunResult
    from sercore.settings import Settings

Datasets = str | Sequence[str] | Mapping[str, "str | Path | None"]
Backbones = str | Callable[..., Any] | Sequence["str | Callable[..., Any]"]


def evaluate(
    datasets: Datasets | None = None,
    backbones: Backbones | Mapping[str, Callable[..., Any]] | None = None,
    *,
    corpora: str | Sequence[str] = (),
    data: str | Path | Sequence[str | Path] = (),
    demo: bool = False,
    protocol: str = "standard",
    accept_shared_speakers: bool = False,
    class_rules: str | Sequence[str] = (),
    small_clusters: bool = False,
    labels: str | None = None,
    reading: str | None = None,
    audio_path: str | None = None,
    folds: int | None = None,
    probes: str | Sequence[str] = "framewise",
    layer: str | int = "last",
    seed: int = BASE_SEED,
    seeds: int | None = None,
    device: str = "auto",
    dtype: str = "auto",
    threads: int | None = None,
    executor: str = "local",
    workspace: str | Path | None = None,
    config: str | Path | None = None,
    name: str | None = None,
    replace: bool = False,
    download: bool = False,
    offline: bool = False,
    progress: bool = True,
) -> Result:
    """Evaluate frozen backbones on speech emotion corpora, and return the scores.

    The same as ``sercore run``: what is stored in the workspace is not computed again, also if the
    command line computed it.

    >>> import sercore
    >>> result = sercore.evaluate("emodb", "whisper-medium", data="corpora")  # doctest: +SKIP
    >>> result.leaderboard()  # doctest: +SKIP

    Args:
        datasets: names of corpora, or a mapping from names to folders, or to the source of a corpus
            of your own (``table:FILE``, ``folder:DIR``, ...). Without it, every corpus that is
            found in `data`.
        backbones: names of backbones, ``hf:PATH_OR_REPO``, or functions that take a waveform
            (float32, mono) and a sample rate and return frames of shape (frames, width) or one
            vector. A mapping names functions. Without it, every installed backbone. Frames of a
            function are stored for later calls only if it has an attribute ``version``.
        corpora: named sets of corpora: every corpus of ``paper`` or ``extended`` that is found in
            `data`.
        data: folders that hold corpora under their usual names.
        demo: include the synthetic corpora and the baseline backbone.
        protocol: a name of ``sercore list protocols``.
        accept_shared_speakers: use published folds (``official:NAME``) even if a speaker is on
            both sides.
        class_rules: ``cluster``, ``exact-classes`` or ``shared-classes``; those of the protocol
            if empty.
        small_clusters: include the small clusters of corpora that the paper's tables leave out.
        labels: a name of ``sercore list mappers``.
        reading: the subset of utterances: ``corrected`` or ``paper``.
        audio_path: how audio is resampled: ``direct`` or ``paper``.
        folds: folds of a k-fold protocol.
        probes: names of ``sercore list probes``; one matrix per probe.
        layer: ``last``, a number, or ``all``.
        seed: seed of the first split.
        seeds: splits and trainings; 3 for the protocol standard, else 1, if None.
        device: ``auto``, ``cpu`` or ``cuda[:N]``.
        dtype: precision of the encoder: ``auto``, ``float32``, ``bfloat16`` or ``float16``.
        threads: threads of a task; all processors if None.
        executor: where tasks run.
        workspace: folder or URL that holds the results; ``SERCORE_WORKSPACE``, the settings or a
            data folder of the user if None.
        config: settings file; ``sercore.toml`` in the current folder if None.
        name: name of the run.
        replace: allow a run of this name to be replaced by a smaller one.
        download: download weights, and snapshots of corpora from the Hub, that are missing.
        offline: do not use the network.
        progress: show progress in a notebook or terminal.

    Returns:
        The run. If a part of it failed, `Result.problems` says what, and a warning is issued.

    Raises:
        SercoreError: a name is unknown, an option cannot be used, or no cell could be computed.
    """
    wait_passively()
    settings = read_settings(Path(config) if config is not None else None)
    place = open_workspace(_workspace_name(workspace), settings)
    functions, names = _split_backbones(backbones)
    if functions and executor != "local":
        raise SettingsError(
            f"the executor '{executor}' cannot run functions of this process",
            hint="use executor='local', or publish the function as a backbone plugin",
        )
    installed = registry().extended(backbones=functions)
    named, settings = with_sources(settings, _datasets(datasets))
    selection = select(
        installed,
        everything=datasets is None and backbones is None and not demo and not corpora,
        demo=demo,
        datasets=named,
        sets=_several(corpora),
        backbones=(*names, *(backbone.card.id for backbone in functions)),
        data=_folders(data, settings),
        protocol=protocol,
        accept_shared_speakers=accept_shared_speakers,
        class_rules=_several(class_rules),
        small_clusters=small_clusters,
        mapper=labels,
        reading=reading,
        audio_path=audio_path,
        n_folds=folds,
        probes=_several(probes),
        layer=layer,
        seed=seed,
        n_seeds=seeds,
        device=device,
        dtype=dtype,
        offline=offline or settings.offline,
        is_local=executor == "local",
    )
    observer = choose_observer(progress=progress)
    done = execute(
        prepare(selection, settings, place, installed, download=download, fetch=download),
        observer,
        RunOptions(name=name, replace=replace, threads=threads),
        executor,
    )
    _raise_or_warn(done)
    return Result(
        StoredRun(name=done.name, record=done.record, scores=done.scores, workspace=place)
    )


def load(run: str = "default", *, workspace: str | Path | None = None) -> Result:
    """Read a stored run.

    Args:
        run: its name; ``published`` is the run of the matrices of the paper.
        workspace: folder or URL that holds it; as in `evaluate` if None.

    Raises:
        WorkspaceError: no run has this name, or its files cannot be read.
    """
    return Result(read_run(open_workspace(_workspace_name(workspace), read_settings()), run))


def _raise_or_warn(done: RunResult) -> None:
    """Raise if a run has no score, and warn of what it lacks otherwise."""
    if done.interrupted:
        raise KeyboardInterrupt
    named = [str(missing) for missing in done.missing if missing.named]
    problems = list(dict.fromkeys([*done.problems, *named]))
    if not done.counts["done"]:
        raise SercoreError(
            problems[0] if problems else "there is nothing to evaluate",
            hint=f"{len(problems) - 1} more problems are in {done.folder}/summary.md"
            if len(problems) > 1
            else None,
        )
    for problem in problems:
        warnings.warn(problem, stacklevel=3)


def _split_backbones(
    given: Backbones | Mapping[str, Callable[..., Any]] | None,
) -> tuple[list[Backbone], list[str]]:
    """Return functions as backbones, and the names of the others."""
    if given is None:
        return [], []
    if isinstance(given, Mapping):
        return [function_backbone(function, name) for name, function in given.items()], []
    several = [given] if isinstance(given, str) or callable(given) else list(given)
    functions: list[Backbone] = [
        function_backbone(one) for one in several if not isinstance(one, str)
    ]
    return functions, [one for one in several if isinstance(one, str)]


def _datasets(given: Datasets | None) -> Mapping[str, str | Path | None]:
    if given is None:
        return {}
    return given if isinstance(given, Mapping) else dict.fromkeys(_several(given))


def _folders(given: str | Path | Sequence[str | Path], settings: Settings) -> tuple[Path, ...]:
    several = [given] if isinstance(given, (str, Path)) else list(given)
    folders = tuple(Path(folder).expanduser() for folder in several) or settings.data
    for folder in folders:
        if not folder.exists():
            raise SettingsError(
                f"there is no folder {folder}", hint="name a folder that holds corpora"
            )
    return folders


def _several(given: str | Sequence[str]) -> tuple[str, ...]:
    return (given,) if isinstance(given, str) else tuple(given)


def _workspace_name(given: str | Path | None) -> str | None:
    return os.environ.get("SERCORE_WORKSPACE") if given is None else str(Path(given).expanduser())
