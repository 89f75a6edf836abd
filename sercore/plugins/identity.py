"""The identity of a plugin's code, for the keys of what the plugin computes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sercore.storage.code import code_identity

if TYPE_CHECKING:
    from sercore.plugins.registry import PluginInfo

_BUILT_IN = "sercore.plugins.builtin"

__all__ = ["code_identity", "plugin_identity"]


def plugin_identity(owner: PluginInfo, thing: object) -> str:
    """Return the identity of the code behind something that a plugin registered.

    It covers the plugin that registered the thing and the package that defines the thing's class
    or function: a plugin may register an instance of another package's class.

    Args:
        owner: the plugin, as `sercore.plugins.registry.Names.owners` gives it.
        thing: a corpus, metric, probe or whatever else it registered.
    """
    modules = {str(thing.__module__)}
    if owner.module != _BUILT_IN:
        modules.add(owner.module.partition(":")[0])
    return code_identity(*modules)
