"""Checks and verdicts: record them in a notebook, load them, render them as tables."""

import json
import math
import os
import tempfile
from pathlib import Path

import numpy as np

from companion import words

KINDS = ("matrices", "law")
DIGITS = 6
STANDARD_ERRORS = 4  # whose level is that of every statistical check
COARSE = 0.1  # relative error that a good check would notice


class Refused(ValueError):
    """What was asked for, or what a notebook did, cannot be accepted; the message says why."""


def root():
    """The tree that one stands in: the nearest folder with a Makefile, else the working one."""
    here = Path.cwd()
    return next((one for one in (here, *here.parents) if (one / "Makefile").is_file()), here)


def output_dir():
    """Folder that notebooks write to: $ENTANGLEMENT_OUT, by default build/local/ of the tree."""
    return Path(os.environ.get("ENTANGLEMENT_OUT") or root() / "build" / "local")


def write_whole(path, content):
    """Write bytes to `path` whole or not at all (temporary file beside it, then rename)."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as stream:
            stream.write(content)
        os.chmod(temporary, 0o644)
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise


def check(
    name,
    measured,
    predicted,
    *,
    kind,
    stderr=None,
    repeats=None,
    tolerance=None,
    reason=None,
    share=False,
    unit="",
):
    """One comparison of a prediction with a measurement, as a dict of scalars; `holds` is computed.

    measured, predicted, stderr, tolerance: finite numbers in `unit`, kept with six significant
    digits. kind: "matrices" (every weight was drawn or trained) or "law" (drawn from the law that
    the prediction uses). A statistical check states stderr and the number of independent repeats
    behind it, from which its tolerance follows, and may give a reason why it sees no small error;
    any other states its tolerance and the reason. share: measured and predicted are shares, in
    [0, 1]; the resolution of one above 1/2 is relative to its rest.
    """
    numbers = dict(measured=measured, predicted=predicted, stderr=stderr, tolerance=tolerance)
    for key, value in numbers.items():
        if value is not None and not math.isfinite(value):
            raise ValueError(f"{key}: {name!r} has {value!r}, which is not finite")
        if value is not None and value < 0 and key in ("stderr", "tolerance"):
            raise ValueError(f"{key}: {name!r} has {value!r}, want 0 or more")
        if share and key in ("measured", "predicted") and not 0 <= value <= 1:
            raise ValueError(f"{key}: {name!r} has {value!r}, which is not a share")
    if kind not in KINDS:
        raise ValueError(f"kind: {name!r} has {kind!r}, not one of {KINDS}")
    if stderr is None and (tolerance is None or not reason):
        stated = f"{tolerance!r}, {reason!r}; without stderr both are stated"
        raise ValueError(f"tolerance, reason: {name!r} has {stated}")
    if stderr is not None and tolerance is not None:
        raise ValueError(f"tolerance: {name!r} has {tolerance!r}, which follows from its stderr")
    if stderr is not None:
        numbers["tolerance"] = student_quantile(repeats) * stderr
    measured, predicted, stderr, tolerance = map(_rounded, numbers.values())
    scale = min(predicted, 1 - predicted) if share else abs(predicted)
    return dict(
        name=name,
        kind=kind,
        measured=measured,
        predicted=predicted,
        stderr=stderr,
        repeats=None if repeats is None else int(repeats),
        tolerance=tolerance,
        reason=reason,
        resolution=_rounded(tolerance / scale) if scale else None,
        unit=unit,
        holds=abs(measured - predicted) <= tolerance,
    )


def student_quantile(repeats):
    """How many standard errors, with so few repeats, are as unlikely as four that are known."""
    if repeats is None or not repeats >= 2 or repeats % 1:
        raise ValueError(f"repeats: {repeats!r}, want a whole number from 2 on")
    from scipy import special  # a fifth of a second, which most commands need not wait

    return float(-special.stdtrit(repeats - 1, special.ndtr(-STANDARD_ERRORS)))


def mean_error(values):
    """Mean and standard error over the first axis, of two or more independent repeats."""
    values = np.asarray(values, dtype=float)
    if values.ndim == 0 or len(values) < 2:
        raise ValueError(f"values: {values.tolist()!r}, want two or more repeats")
    return values.mean(axis=0), values.std(axis=0, ddof=1) / np.sqrt(len(values))


def check_mean(name, values, predicted, **stated):
    """`check` of the mean of independent repeats (R,), with the standard error that they show.

    stated: kind, and what else `check` takes.
    """
    measured, stderr = mean_error(values)
    return check(name, measured, predicted, stderr=stderr, repeats=len(values), **stated)


def check_share(name, values, predicted, count, **stated):
    """`check_mean` of shares (R,), each of `count` cases.

    The standard error is at least the binomial one of the prediction.
    """
    values = np.asarray(values, dtype=float)
    if not count >= 1 or count % 1:
        raise ValueError(f"count: {name!r} has {count!r}, want a whole number from 1 on")
    cases = values * count
    if not np.all((0 <= values) & (values <= 1) & (np.abs(cases - np.rint(cases)) < 1e-6)):
        raise ValueError(f"values: {name!r} has {values.tolist()!r}, want shares of {count} cases")
    if not 0 <= predicted <= 1:
        raise ValueError(f"predicted: {name!r} has {predicted!r}, which is not a share")
    measured, stderr = mean_error(values)
    stderr = max(stderr, math.sqrt(predicted * (1 - predicted) / (count * len(values))))
    repeats = len(values)
    return check(name, measured, predicted, stderr=stderr, repeats=repeats, share=True, **stated)


def record(id, checks, **numbers):
    """Write a claim with its checks to $ENTANGLEMENT_OUT/claims/<id>.json; returned, displayable.

    id: the notebook's number and a short name, such as "01a-zero-loss", under which words/NN.md
    has claim, source, verdict, figures and why; numbers: what these leave open. The checks are on
    our predictions, the verdict is on the claim.
    """
    if not checks:
        raise ValueError(f"checks: claim {id!r} has none")
    names = [c["name"] for c in checks]
    if len(set(names)) < len(names):
        raise ValueError(f"checks: names repeat in {names!r}")
    said = words.fill(id, **numbers)
    if "claim" not in said:
        raise ValueError(f"id: {id!r} is a figure's section in {words.place(id)}")
    said |= dict(id=id, notebook=_notebook(id), checks=checks)
    entry = Claim({key: said[key] for key in Claim.KEYS})
    write_whole(output_dir() / "claims" / f"{id}.json", dumps([entry]))
    return entry


def _notebook(id):
    """The stem of the one notebook in the working directory whose number the id has."""
    stems = [path.stem for path in Path().glob(f"{id[:2]}_*.ipynb")]
    if len(stems) != 1:
        raise ValueError(f"id: {id!r} belongs to one notebook of {Path.cwd()}, found {stems}")
    return stems[0]


def dumps(claims):
    """The bytes of a claims file: sorted by id, one stable layout, six significant digits."""
    ordered = sorted(claims, key=lambda c: c["id"])
    return (json.dumps(ordered, indent=1, ensure_ascii=False) + "\n").encode()


def load(path):
    """Claims of a file: dicts of id, claim, source, notebook, verdict, why, figures, checks.

    checks: dicts of name, kind, measured, predicted, stderr, repeats, tolerance, reason,
    resolution, unit, holds; scalars, or None. ValueError naming the file if it holds no claims.
    """
    try:
        entries = json.loads(Path(path).read_text(encoding="utf-8"))
        return [Claim({key: entry[key] for key in Claim.KEYS}) for entry in entries]
    except (OSError, json.JSONDecodeError, KeyError, TypeError, UnicodeDecodeError) as error:
        raise Refused(f"path: {str(path)!r} is not a claims file ({error})") from error


class Claim(dict):
    """A claim as a plain dict that Jupyter shows as a table of its checks."""

    KEYS = ("id", "claim", "source", "notebook", "verdict", "why", "figures", "checks")

    def _repr_markdown_(self):
        head = "check", "against", "measured", "predicted", "tolerance", "would notice", "holds"
        rows = [
            (
                c["name"] + (f" ({c['reason']})" if c["reason"] else ""),
                c["kind"],
                _text(c["measured"]),
                f"{_text(c['predicted'])} {c['unit']}".strip(),
                _text(c["tolerance"]),
                "" if c["resolution"] is None else f"{c['resolution']:.2%}",
                "yes" if c["holds"] else "**NO**",
            )
            for c in self["checks"]
        ]
        said = f"**{self['claim']}**\n\nVerdict: **{self['verdict']}**. {self['why']}"
        return f"{said}\n\n{_markdown(head, *rows)}"

    def __repr__(self):
        good, total = passed(self)
        return f"{self['id']}: {self['verdict']} ({good} of {total} predictions hold)"


def passed(claim):
    """(checks that hold, all checks) of one claim."""
    return sum(c["holds"] for c in claim["checks"]), len(claim["checks"])


def table(claims):
    """Claims as plain text, one line each, for a terminal; checks that fail are listed below."""
    lines = [f"{'id':<26} {'verdict':<24} {'checks':<7} claim"]
    lines.append("-" * len(lines[0]))
    for claim in claims:
        good, total = passed(claim)
        held = f"{good:>3}/{total:<3}"
        lines.append(f"{claim['id']:<26} {claim['verdict']:<24} {held} {claim['claim']}")
        for c in claim["checks"]:
            if not c["holds"]:
                wanted = f"{_text(c['predicted'])} +- {_text(c['tolerance'])} {c['unit']}"
                lines.append(f"    FAILS: {c['name']}: {_text(c['measured'])}, not {wanted}")
    return "\n".join(lines)


def markdown(claims):
    """A Markdown table for README: each notebook's verdicts, on the paper's claims and on ours."""
    rows = []
    for stem in sorted({c["notebook"] for c in claims}):
        own = [c for c in claims if c["notebook"] == stem]
        said = (
            "; ".join(dict.fromkeys(c["verdict"] for c in own if (c["source"] == "paper") == paper))
            for paper in (True, False)
        )
        rows.append((f"[{stem[:2]}](notebooks/{stem}.ipynb)", *said))
    return _markdown(("notebook", "what the paper says", "our readings and questions"), *rows)


def overview(claims):
    """Claims as a Markdown table for notebook 00, with links that start in notebooks/."""
    rows = []
    for claim in claims:
        good, total = passed(claim)
        book = f"[{claim['notebook'][:2]}]({claim['notebook']}.ipynb)"
        rows.append((claim["claim"], f"**{claim['verdict']}**", f"{good} of {total}", book))
    head = "claim as tested", "verdict", "predictions that hold", "notebook"
    return _markdown(head, *rows)


def agreement(claims):
    """Sentences on all checks: how many hold, against what, how far off, how many are coarse."""
    checks = [c for claim in claims for c in claim["checks"]]
    parts = []
    for kind, against in (("matrices", "against whole matrices"), ("law", "drawn from the law")):
        own = [c for c in checks if c["kind"] == kind]
        coarse = sum(c["resolution"] is not None and c["resolution"] > COARSE for c in own)
        held = sum(c["holds"] for c in own)
        parts.append(f"{held} of {len(own)} {against} hold ({coarse} would not notice 10 %)")
    return f"Of {len(checks)} checks {' and '.join(parts)}.{_deviations(checks)}"


def _deviations(checks):
    """A sentence on how far statistical checks are off, in standard errors of the normal law.

    A deviation counts as the normal one that is as unlikely as it is with as few repeats.
    """
    own = [c for c in checks if c["stderr"]]
    if not own:
        return ""
    from scipy import special

    z = [abs(c["measured"] - c["predicted"]) / c["stderr"] for c in own]
    normal = -special.ndtri(special.stdtr([c["repeats"] - 1 for c in own], -np.array(z)))
    rms = np.sqrt(np.mean(normal**2))
    return (
        f" {len(own)} are statistical: their deviations have a root mean square of {rms:.2f}"
        f" standard errors (1 by chance) and a maximum of {normal.max():.1f}."
    )


def _markdown(head, *rows):
    """A Markdown table."""
    cells = [[cell.replace("|", "\\|") for cell in row] for row in (head, *rows)]
    cells.insert(1, ["---"] * len(head))
    return "\n".join(f"| {' | '.join(row)} |" for row in cells)


def _rounded(value):
    return None if value is None else float(f"{float(value):.{DIGITS}g}")


def _text(value):
    return f"{value:.4g}"
