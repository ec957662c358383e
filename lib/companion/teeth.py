"""`make teeth`: what the checks of figures/claims.json would notice, claim by claim.

The exit status is 1 if a claim has no check against matrices that notices an error of 5 %.
"""

import sys

from companion import claims
from companion.tree import status

SHARP = 0.05  # relative error that every claim must notice against whole matrices


def report(entries):
    """(lines, whether every claim has a check against matrices that notices 5 %)."""
    rows = [_row(entry) for entry in entries]
    return [line for line, _ in rows], all(sharp for _, sharp in rows)


def _row(entry):
    known = [c for c in entry["checks"] if c["resolution"] is not None]
    matrices = [c["resolution"] for c in known if c["kind"] == "matrices"]
    coarse = sum(c["resolution"] > claims.COARSE and not c["reason"] for c in known)
    best = min(matrices, default=None)
    sharp = best is not None and best <= SHARP
    notices = "nothing" if best is None else f"{best:.1%}"
    line = f"{entry['id']:<26} {'' if sharp else 'NO BITE':<8} {len(matrices):>3} against matrices,"
    line += f" the best notices {notices}; {coarse} over 10 % without a reason"
    return line, sharp


def main():
    """Print the report; 1 if a claim has no sharp check."""
    lines, good = report(claims.load(claims.root() / "figures" / "claims.json"))
    print("\n".join(lines))
    return int(not good)


if __name__ == "__main__":
    sys.exit(status(main))
