"""`make teeth`: what the checks of figures/claims.json would notice, claim by claim; exit status 1 if one has no bite."""

import sys

from companion import claims

SHARP = 0.05  # relative error that every claim must notice against whole matrices


def report(entries):
    """(lines, whether every claim has a check against matrices that notices 5 %)."""
    lines, good = [], True
    for entry in entries:
        resolutions = [c["resolution"] for c in entry["checks"] if c["kind"] == "matrices" and c["resolution"] is not None]
        best = min(resolutions, default=None)
        sharp = best is not None and best <= SHARP
        good &= sharp
        coarse = sum(c["resolution"] is not None and c["resolution"] > claims.COARSE and not c["reason"] for c in entry["checks"])
        noticed = "none" if best is None else f"{best:.1%}"
        lines.append(
            f"{'' if sharp else 'NO BITE '}{entry['id']}: {len(resolutions)} against matrices, the best notices {noticed}; {coarse} checks over 10 %"
        )
    return lines, good


def main():
    """Print the report; returns the exit status."""
    lines, good = report(claims.load(claims.root() / "figures" / "claims.json"))
    print("\n".join(lines))
    return int(not good)


if __name__ == "__main__":
    sys.exit(main())
