"""Checks and verdicts: record them in a notebook, load them, render them as tables."""

import json
import math
import os
import tempfile
from pathlib import Path

import numpy as np
from scipy.stats import norm, t

from companion import words

KINDS = ("matrices", "law")
DIGITS = 6
STANDARD_ERRORS = 4


def output_dir():
    """Folder that notebooks write to: $ENTANGLEMENT_OUT, by default build/local/ of the tree that one stands in."""
    here = Path.cwd()
    root = next((folder for folder in (here, *here.parents) if (folder / "Makefile").is_file()), here)
    return Path(os.environ.get("ENTANGLEMENT_OUT") or root / "build" / "local")


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
    """One comparison of our prediction with a measurement, as a dict of scalars; whether it holds is computed here.

    measured, predicted, stderr, tolerance: finite numbers in `unit`, kept with six significant digits. kind: "matrices"
    (every weight was drawn or trained) or "law" (drawn from the law that the prediction uses). A statistical check states
    stderr and the number of independent repeats behind it, and its tolerance follows from them; any other states its
    tolerance and the reason. A statistical check may give a reason too: why it cannot see small errors. share: measured
    and predicted are shares, in [0, 1]; the resolution of one above 1/2 is relative to its rest.
    """
    numbers = dict(measured=measured, predicted=predicted, stderr=stderr, tolerance=tolerance)
    for key, value in numbers.items():
        if value is not None and not math.isfinite(value):
            raise ValueError(f"{key}: {name!r} has {value!r}, which is not finite")
        if share and key in ("measured", "predicted") and not 0 <= value <= 1:
            raise ValueError(f"{key}: {name!r} has {value!r}, which is not a share")
    if kind not in KINDS:
        raise ValueError(f"kind: {name!r} has {kind!r}, not one of {KINDS}")
    if stderr is None and (tolerance is None or not reason):
        raise ValueError(f"tolerance, reason: {name!r} has {tolerance!r}, {reason!r}; without stderr both are stated")
    if stderr is not None:
        if tolerance is not None:
            raise ValueError(f"tolerance: {name!r} has {tolerance!r}, which would follow from its stderr")
        if stderr < 0:
            raise ValueError(f"stderr: {name!r} has {stderr!r}, want 0 or more")
        tolerance = student_quantile(repeats) * stderr
    if tolerance < 0:
        raise ValueError(f"tolerance: {name!r} has {tolerance!r}, want 0 or more")
    measured, predicted, tolerance = map(_rounded, (measured, predicted, tolerance))
    scale = min(predicted, 1 - predicted) if share else abs(predicted)
    return dict(
        name=name,
        kind=kind,
        measured=measured,
        predicted=predicted,
        stderr=None if stderr is None else _rounded(stderr),
        repeats=None if repeats is None else int(repeats),
        tolerance=tolerance,
        reason=reason,
        resolution=_rounded(tolerance / scale) if scale else None,
        unit=unit,
        holds=abs(measured - predicted) <= tolerance,
    )


def student_quantile(repeats):
    """How many standard errors of the mean of `repeats` numbers are as unlikely as four of a known standard deviation."""
    if repeats is None or not repeats >= 2 or repeats % 1:
        raise ValueError(f"repeats: {repeats!r}, want a whole number from 2 on")
    return float(t.isf(norm.sf(STANDARD_ERRORS), repeats - 1))


def mean_error(values):
    """Mean and standard error over the first axis, whose entries are two or more independent repeats."""
    values = np.asarray(values, dtype=float)
    if values.ndim == 0 or len(values) < 2:
        raise ValueError(f"values: {values.tolist()!r}, want two or more repeats")
    return values.mean(axis=0), values.std(axis=0, ddof=1) / np.sqrt(len(values))


def check_mean(name, values, predicted, *, kind, reason=None, unit=""):
    """`check` of the mean of independent repeats (R,) against a prediction, with the standard error that they show."""
    measured, stderr = mean_error(values)
    return check(name, measured, predicted, kind=kind, stderr=stderr, repeats=len(values), reason=reason, unit=unit)


def check_share(name, values, predicted, count, *, kind, reason=None):
    """`check_mean` of shares (R,) that are each of `count` cases; the error is at least the binomial one of the prediction."""
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
    return check(
        name, measured, predicted, kind=kind, stderr=stderr, repeats=len(values), reason=reason, share=True
    )


def record(id, checks, **numbers):
    """Write one claim with its checks to $ENTANGLEMENT_OUT/claims/<id>.json and return it, displayable.

    id: the notebook number and a short name, such as "01a-zero-loss", under which words/NN.md has claim, source, verdict,
    figures and why; numbers: what it leaves open. The checks are on our predictions, the verdict is on the claim.
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
    return (json.dumps(sorted(claims, key=lambda c: c["id"]), indent=1, ensure_ascii=False) + "\n").encode()


def load(path):
    """Claims of a file as a list of dicts: id, claim, source, notebook, verdict, why, figures, checks.

    checks: dicts of name, kind, measured, predicted, stderr, repeats, tolerance, reason, resolution, unit, holds;
    scalars, or None.
    Raises ValueError naming the file if it is not a claims file.
    """
    try:
        entries = json.loads(Path(path).read_text(encoding="utf-8"))
        return [Claim({key: entry[key] for key in Claim.KEYS}) for entry in entries]
    except (OSError, json.JSONDecodeError, KeyError, TypeError, UnicodeDecodeError) as error:
        raise ValueError(f"path: {str(path)!r} is not a claims file ({error})") from error


class Claim(dict):
    """A claim as a plain dict that Jupyter shows as a table of its checks."""

    KEYS = ("id", "claim", "source", "notebook", "verdict", "why", "figures", "checks")

    def _repr_markdown_(self):
        head = ["check", "measured", "predicted", "tolerance", "unit", "would notice", "against", "holds"]
        rows = [
            (_cell(c["name"]), *map(_text, (c["measured"], c["predicted"], c["tolerance"])), c["unit"])
            + (_percent(c["resolution"]), c["kind"], "yes" if c["holds"] else "**NO**")
            for c in self["checks"]
        ]
        reasons = [f"{_cell(c['name'])}: {c['reason']}." for c in self["checks"] if c["reason"]]
        said = f"**{self['claim']}** ({self['source']}): **{self['verdict']}**. {self['why']}"
        return "\n\n".join([said, _markdown_table(head, rows), *reasons])

    def __repr__(self):
        good, total = passed(self)
        return f"{self['id']}: {self['verdict']} ({good} of {total} predictions hold)"


def passed(claim):
    """(checks that hold, all checks) of one claim."""
    return sum(c["holds"] for c in claim["checks"]), len(claim["checks"])


def table(claims):
    """Claims as plain text, one line each, for a terminal; checks that fail are listed below."""
    lines = []
    for claim in claims:
        good, total = passed(claim)
        lines.append(f"{claim['id']:<26} {claim['verdict']:<24} {good:>3}/{total:<3} {claim['claim']}")
        lines += [
            f"    FAILS: {c['name']}: {_text(c['measured'])}, not {_text(c['predicted'])} +- {_text(c['tolerance'])} {c['unit']}"
            for c in claim["checks"]
            if not c["holds"]
        ]
    head = f"{'id':<26} {'verdict':<24} {'checks':<7} claim"
    return "\n".join([head, "-" * len(head), *lines])


def markdown(claims, sentences):
    """The claims as a Markdown table for README, under the sentences that their notebooks test.

    sentences: number of a notebook -> its sentence, as `words.sentences` reads them; one without claims says so.
    """
    rows = []
    for number, sentence in sentences.items():
        found = [_row(claim) for claim in claims if claim["notebook"].startswith(number)] or [("not tested here yet", "", "")]
        rows += [(_cell(sentence) if first else "", *row) for first, row in zip([True] + [False] * len(found), found)]
    return _markdown_table(["the paper says", "claim as tested, and verdict", "where", "predictions that hold"], rows)


def overview(claims):
    """Claims as a Markdown table for notebook 00, with links that start in notebooks/."""
    head = ["claim as tested", "verdict", "predictions that hold", "notebook"]
    rows = []
    for claim in claims:
        good, total = passed(claim)
        link = f"[{claim['notebook'][:2]}]({claim['notebook']}.ipynb)"
        rows.append((_cell(claim["claim"]), f"**{claim['verdict']}**", f"{good} of {total}", link))
    return _markdown_table(head, rows)


def agreement(claims):
    """Sentences for README on all predictions: how many hold, of each kind; their deviations; how many see no small error."""
    checks = [c for claim in claims for c in claim["checks"]]
    kinds = [[c["holds"] for c in checks if c["kind"] == kind] for kind in KINDS]
    good, total = sum(map(sum, kinds)), len(checks)
    (whole, matrices), (drawn, law) = [(sum(holds), len(holds)) for holds in kinds]
    blind = sum(c["resolution"] is not None and c["resolution"] > 0.1 for c in checks)
    return (
        f"{good} of {total} predictions hold: {whole} of {matrices} against whole matrices, {drawn} of {law} drawn from the law. "
        f"{_deviations(checks)}{blind} of the {total} would not notice an error of 10 %."
    )


def _deviations(checks):
    """A sentence on how far the statistical checks are from what was measured, in errors of the normal law."""
    z = [(c["measured"] - c["predicted"]) / c["stderr"] for c in checks if c["stderr"]]
    if not z:
        return ""
    freedom = [c["repeats"] - 1 for c in checks if c["stderr"]]
    normal = norm.isf(t.sf(np.abs(z), freedom))  # as unlikely as these are with as few repeats
    rms = np.sqrt(np.mean(normal**2))
    return (
        f"{len(z)} are statistical: their deviations have a root mean square of {rms:.2f} standard errors (1 by chance) and a "
        f"maximum of {normal.max():.1f}. "
    )


def _row(claim):
    good, total = passed(claim)
    figures = ", ".join(f"[{name}](figures/{name}.png)" for name in claim["figures"])
    book = f"[notebook {claim['notebook'][:2]}](notebooks/{claim['notebook']}.ipynb)"
    said = f"{_cell(claim['claim'])}: **{claim['verdict']}**. {_cell(claim['why'])}"
    return said, f"{book}: {figures}", f"{good} of {total}"


def _markdown_table(head, rows):
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (head, ["---"] * len(head), *rows))


def _rounded(value):
    return float(f"{float(value):.{DIGITS}g}")


def _cell(text):
    return text.replace("|", "\\|")


def _text(value):
    return f"{value:.4g}"


def _percent(value):
    return "" if value is None else f"{100 * value:.2g} %"
