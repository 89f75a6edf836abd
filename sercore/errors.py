"""The errors that sercore raises, as types.

    SercoreError                    every error that sercore raises on purpose
    ├── SettingsError               an option, variable or setting cannot be used
    ├── PluginError                 a plugin cannot be used
    │   ├── PluginLoadError         it cannot be imported or registered, or needs a newer sercore
    │   ├── DuplicateNameError      two plugins register one name
    │   └── UnknownNameError        no plugin registers this name
    ├── CorpusError                 a corpus on disk is not what its plugin expects
    │   ├── CorpusMissingError      it was not found
    │   ├── NotOfferedError         its authors do not offer it for plain download
    │   └── UnknownLabelError       a native label that the corpus does not declare
    ├── AudioError                  a recording cannot be decoded
    │   └── SilentAudioError        it has no samples, or zeros only
    ├── FetchError                  a download failed, or is not what its publisher states
    ├── BackboneError               a backbone cannot be used
    │   └── BackboneUnavailableError  its weights are not on this machine and cannot be downloaded
    ├── ProtocolError               a split, class rule or adjustment cannot be computed
    ├── TaskError                   a task cannot be read, or asks for another result than planned
    └── WorkspaceError              a result cannot be read or written
        ├── DamagedError            its bytes are not those that were written
        ├── InUseError              another process works on it
        └── DiskFullError           no space left

A message is one sentence that names the thing and what was expected; the hint says what to do.
Only the command line catches these and prints them; everything else keeps its traceback.
"""

from __future__ import annotations


class SercoreError(Exception):
    """Base of all errors that a user can act on.

    Args:
        message: what is wrong, naming the thing and what was expected.
        hint: what to do about it.
    """

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message}; {self.hint}" if self.hint else self.message


class SettingsError(SercoreError):
    """An option, an environment variable or a setting cannot be used."""


class PluginError(SercoreError):
    """A plugin cannot be used."""


class PluginLoadError(PluginError):
    """A plugin failed to import or register, or needs a newer sercore."""


class DuplicateNameError(PluginError):
    """Two plugins register one name."""


class UnknownNameError(PluginError):
    """No installed plugin registers this name."""


class CorpusError(SercoreError):
    """A corpus on disk is not what its plugin expects."""


class CorpusMissingError(CorpusError):
    """A corpus was not found where it was looked for."""


class NotOfferedError(CorpusError):
    """A corpus is not offered for plain download."""


class UnknownLabelError(CorpusError):
    """A file has a native label that its corpus does not declare."""


class AudioError(SercoreError):
    """A recording cannot be decoded, or has no sound."""


class SilentAudioError(AudioError):
    """A recording has no samples, or zeros only."""


class FetchError(SercoreError):
    """A download failed, or is not what its publisher states."""


class BackboneError(SercoreError):
    """A backbone cannot be used."""


class BackboneUnavailableError(BackboneError):
    """A backbone's weights are not on this machine and cannot be downloaded."""


class ProtocolError(SercoreError):
    """A split, a class rule or an adjustment cannot be computed on this data."""


class TaskError(SercoreError):
    """A task cannot be read, or names another result than this worker would write."""


class WorkspaceError(SercoreError):
    """A result cannot be read or written."""


class DamagedError(WorkspaceError):
    """A stored file is not what was written: what can be recomputed counts as missing."""


class InUseError(WorkspaceError):
    """Another process works on the same thing and was not waited for."""


class StoreUnavailableError(SercoreError):
    """The object store that holds the workspace does not answer, or refuses; nothing is lost.

    Not a WorkspaceError: a result that cannot be reached now is neither missing nor damaged.
    """


class DiskFullError(WorkspaceError):
    """The file system that holds the workspace has no space left."""
