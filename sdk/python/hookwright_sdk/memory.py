"""Facts that earlier answers left behind. Only plugins that read answers have it."""

from typing import Optional

from wit_world.imports import memory


def recall(key: str) -> Optional[str]:
    """The value last remembered under this key for this webhook and this plugin's name, or None. At most 256 calls a
    run."""
    return memory.recall(key)
