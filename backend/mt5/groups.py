"""The group filter of symbols, orders, positions and history: ``"*USD*,!*JPY*"``."""

import re
from functools import lru_cache


@lru_cache(maxsize=256)
def _mask(mask: str) -> re.Pattern[str]:
    return re.compile(".*".join(re.escape(part) for part in mask.split("*")), re.DOTALL)


def in_group(name: str, group: str) -> bool:
    """Whether the name belongs to the group.

    Conditions are separated by commas and applied in turn, so inclusions stand first; `!` excludes, `*`
    stands for any text, and without it the name must be equal. A group of exclusions only takes
    everything else.
    """
    conditions = [condition.strip() for condition in group.split(",") if condition.strip()]
    taken = bool(conditions) and conditions[0].startswith("!")
    for condition in conditions:
        if condition.startswith("!"):
            taken = taken and _mask(condition[1:]).fullmatch(name) is None
        else:
            taken = taken or _mask(condition).fullmatch(name) is not None
    return taken
