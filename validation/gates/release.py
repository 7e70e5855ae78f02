"""May an audience leave the platform: large enough, every member's consent known and given, none of it assumed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from validation.verdict import Check, OvertoneError, Verdict

if TYPE_CHECKING:
    from collections.abc import Collection

EXPORTABLE = ("feed", "file")  # consent stated by the source itself or by a file handed in with it
FLOOR = 1_000  # listeners below which no audience leaves, whatever its campaign asks for: it could point at people
GRAIN = 10  # sizes are told rounded down to this, so that one listener's coming or going shows in none


def release(audience: str, *, listeners: int, minimum: int, bases: Collection[str], without_consent: int) -> Verdict:
    """Return whether an audience may be handed to an advertiser.

    `listeners` counts its members, `without_consent` those of them who did not consent to advertising or are not known to
    be adults, `bases` says on whose word consent rests. A size below the minimum is not told, not even in the verdict.
    """
    if listeners < 0 or minimum < 1 or not 0 <= without_consent <= listeners:
        raise OvertoneError(
            f"audience {audience}: {listeners} listeners, {without_consent} of them without consent, minimum {minimum} do not make sense: "
            "0 <= without consent <= listeners and minimum >= 1 are asked"
        )
    size = listeners // GRAIN * GRAIN if listeners >= minimum else 0
    wrong = sorted(set(bases) - set(EXPORTABLE))
    checks = (
        Check(
            "minimum_size",
            success=listeners >= minimum,
            observed=f"{size:,}" if listeners >= minimum else f"fewer than {minimum:,}",
            expected=f"at least {minimum:,} listeners",
        ),
        Check(
            "consent_basis",
            success=not wrong,
            observed=", ".join(sorted(bases)) or "none",
            expected=f"only {' or '.join(EXPORTABLE)}: consent that was assumed is never exported",
        ),
        Check(
            "all_consented",
            success=not without_consent,
            observed="some did not" if without_consent else "every member",
            expected="every member consented and is a known adult",
        ),
    )
    return Verdict(audience, checks, size)
