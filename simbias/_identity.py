"""Identities: settings that are not at their defaults, in one canonical string.

So a setting that is added later, at its default, changes no identity.
"""

import json
from collections.abc import Callable, Mapping

from simbias._types import Settings

_MISSING = object()


def canonical(settings: Settings) -> str:
    """Plain data as JSON, the same whatever the order in which they were given."""
    return json.dumps(settings, sort_keys=True, separators=(",", ":"))


def beyond_defaults(
    settings: Mapping[str, object], complete: Callable[[Settings], Mapping[str, object]]
) -> Settings:
    """The settings that differ from their defaults.

    Args:
        settings: all of them.
        complete: some settings -> all settings of what is made from them; raises ValueError or
            TypeError where nothing can be made.

    Returns:
        The fewest from which ``complete`` gives all again; all, where fewer do not.
    """
    settings = dict(settings)
    try:
        defaults = complete({})
        beyond = {
            name: value for name, value in settings.items() if defaults.get(name, _MISSING) != value
        }
        return beyond if complete(beyond) == settings else settings
    except (ValueError, TypeError):
        return settings
