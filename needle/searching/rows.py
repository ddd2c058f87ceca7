"""The answers to many queries as rows: one for each place that was found."""

from __future__ import annotations

from dataclasses import replace

from needle import frames
from needle.frames import Row
from needle.results import Match, SearchResult

LIKELY = 0.5
"""From here on a match probably is what was searched for, as the service says `found`."""
NEAREST = 3
"""So many look-alikes are enough where nothing is found."""
COLUMNS = (
    "query",
    "found",
    *(name for name in frames.MATCH_COLUMNS if name != "paths"),
    "error",
    "paths",
)


def places(result: SearchResult) -> SearchResult:
    """Return a result whose matches have the hits that show the thing, and no others.

    These are the verified ones; where none is, the best one alone, since of the others nobody has
    said how sure they are.
    """
    return replace(result, matches=tuple(map(_shown, result.matches)))


def _shown(match: Match) -> Match:
    verified = tuple(hit for hit in match.hits if hit.verified)
    return replace(match, hits=verified or match.hits[:1])


def found(query: str, result: SearchResult) -> list[Row]:
    """Return a row for each place of a result's matches; one that says so where there is none."""
    made = frames.match_rows(result.matches)
    return [{"query": query, "found": bool(made), **row} for row in made or [{}]]


def every(query: str, result: SearchResult) -> list[Row]:
    """Return a row for each hit of all matches: `found` where its match probably shows the thing.

    Where there is no match, a row says so.
    """
    sure = {match.image_id for match in likely(result, found=True).matches}
    return [row | {"found": row.get("image_id") in sure} for row in found(query, result)]


def failed(query: str, reason: str) -> list[Row]:
    """Return the row of a query that could not be answered."""
    return [{"query": query, "error": reason}]


def likely(
    result: SearchResult, least: float | None = None, *, found: bool = False, verified: bool = False
) -> SearchResult:
    """Return a result without the matches that are less probable, or not `verified`.

    `found` leaves those that probably show the thing. Of several things (`detect`) a match's
    probability is a share of them: there it leaves those that probably show any.
    """
    raw = list(result.raw.get("matches") or ())
    some = found and len(result.objects) > 1 and any("shows" in match for match in raw)

    def wanted(match: Match) -> bool:
        if verified and not match.verified:
            return False
        if some:
            return bool(match.shows)
        return _probable(match, result, LIKELY if found else least)

    kept = [place for place, match in enumerate(result.matches) if wanted(match)]
    return replace(
        result,
        matches=tuple(result.matches[place] for place in kept),
        raw={**result.raw, "matches": [raw[place] for place in kept if place < len(raw)]},
    )


def _probable(match: Match, result: SearchResult, least: float | None) -> bool:
    """Tell whether a match is sure enough; a service of before says it of the whole result."""
    if least is None:
        return True
    return result.found if match.probability is None else match.probability >= least
