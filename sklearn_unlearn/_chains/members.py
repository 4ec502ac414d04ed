"""The members of each chain, by their role, as rows come and go: tag to role to rows."""

import numpy as np


def merged(members, groups, records):
    """Return the members of all chains with rows that have come to them, in order."""
    merged = {tag: dict(roles) for tag, roles in members.items()}
    for tag, roles in groups.items():
        kept = merged.setdefault(tag, {})
        for role, rows in roles.items():
            kept[role] = records.ordered(np.concatenate([kept.get(role, rows[:0]), rows]))
    return merged


def parted(members, groups):
    """Return the members of all chains without rows that have left; chains without own rows end."""
    left = dict(members)
    for tag, roles in groups.items():
        left[tag] = {
            role: kept[~np.isin(kept, roles[role])] if role in roles else kept
            for role, kept in left[tag].items()
        }
        if not len(left[tag]["own"]):
            del left[tag]
    return left
