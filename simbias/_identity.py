"""One rule for all identities: what stands at its default is left out, in one canonical string.

So a setting that is added later, at its default, makes nothing another thing.
"""

import json
from collections.abc import Callable, Mapping

from simbias._types import Settings

_MISSING = object()


def canonical(settings: Settings) -> str:
    """Plain data as JSON, the same whatever the order in which they were given."""
    return json.dumps(settings, sort_keys=True, separators=(",", ":"))


def beyond_defaults(
    settings: Mapping[str, object], made: Callable[[Settings], Mapping[str, object]]
) -> Settings:
    """The settings that are not as they are where nothing is said of them.

    Args:
        settings: all of them.
        made: some settings -> all settings of what is made from them; raises ValueError or
            TypeError where nothing can be.

    Returns:
        Those from which what has these settings is made again; all, where fewer would not do.
    """
    settings = dict(settings)
    try:
        usual = made({})
        some = {
            name: value for name, value in settings.items() if usual.get(name, _MISSING) != value
        }
        return some if made(some) == settings else settings
    except (ValueError, TypeError):
        return settings
