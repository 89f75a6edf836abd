"""The identity of a plugin's code, for the keys of what the plugin computes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sercore.plugins.info import BUILT_IN
from sercore.storage.code import code_identity

if TYPE_CHECKING:
    from sercore.plugins.info import PluginInfo


__all__ = ["code_identity", "plugin_code", "plugin_identity"]


def plugin_identity(owner: PluginInfo, thing: object) -> str:
    """Return the identity of the code behind something that a plugin registered.

    It covers the plugin that registered the thing and the package that defines the thing's class
    or function: a plugin may register an instance of another package's class.

    Args:
        owner: the plugin, as `sercore.plugins.registry.Catalog.owners` gives it.
        thing: a corpus, metric, probe or anything else that it registered.
    """
    modules = {str(thing.__module__)}
    if owner.module not in BUILT_IN:
        modules.add(owner.module.partition(":")[0])
    return code_identity(*modules)


def plugin_code(owner: PluginInfo, thing: object) -> str | None:
    """Return the identity of a plugin's code, or None for what sercore registers itself.

    Whether results of an older sercore are still valid is decided by its schema versions, so that
    an upgrade recomputes only what would come out differently.

    Args:
        owner: the plugin.
        thing: a metric, a probe or anything else that it registered.
    """
    return None if owner.module in BUILT_IN else plugin_identity(owner, thing)
