"""Checks and verdicts: record them in a notebook, load them, render them as tables."""

import json
import math
import os
import tempfile
from pathlib import Path

import numpy as np

VERDICTS = ("holds", "holds, trivially", "holds with a condition", "does not hold")
DIGITS = 6
# what each notebook tests: the abstract of arXiv 2309.15669 v7 sentence by sentence, shortened; quotation marks are its words
SENTENCES = {
    "01": 'Overparameterised linear networks reach "zero loss by fitting random noise, even on previously unseen test samples"',
    "02": "Distant features become entangled, however far apart (title; earlier versions of the abstract)",
    "03": 'Spacetime diagrams reveal a "connection to length contraction"',
    "04": 'Training and test samples converge "toward a shared normalized point within a flat Riemannian manifold"',
    "05": 'Entangled features serve "information reconciliation" (index terms)',
    "06": 'Worst-case adversarial examples are transformed into outputs that are "both recognizable and robust"',
    "07": 'This gives "new insights into the behavior of non-robust features"',
    "08": "Is it entanglement? (this companion's question)",
    "09": "What do other networks do? (this companion's question)",
}
STANDARD_ERRORS = 4


def output_dir():
    """Folder that notebooks write to: $ENTANGLEMENT_OUT, by default build/local/ of the checkout (or of the cwd)."""
    if os.environ.get("ENTANGLEMENT_OUT"):
        return Path(os.environ["ENTANGLEMENT_OUT"])
    root = Path(__file__).resolve().parents[2]
    return (root if (root / "Makefile").is_file() else Path.cwd()) / "build" / "local"


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


def check(name, measured, predicted, stderr=0.0, tolerance=None, unit=""):
    """One comparison of our prediction with a measurement.

    measured, predicted, stderr, tolerance: finite scalars in `unit`. The tolerance is 4 standard errors unless given, so
    without either the two must be equal. Whether it holds is computed here, never passed in.
    """
    if not stderr >= 0:
        raise ValueError(f"stderr: {name!r} has {stderr!r}, want 0 or more")
    if tolerance is None:
        tolerance = STANDARD_ERRORS * stderr
    numbers = dict(measured=measured, predicted=predicted, stderr=stderr, tolerance=tolerance)
    for key, value in numbers.items():
        if not math.isfinite(value):
            raise ValueError(f"{key}: {name!r} has {value!r}, which is not finite")
    holds = bool(abs(measured - predicted) <= tolerance)
    return dict(name=name, **{k: _rounded(v) for k, v in numbers.items()}, unit=unit, holds=holds)


def mean_error(values):
    """Mean and standard error over the first axis, whose entries are independent repeats."""
    values = np.asarray(values, dtype=float)
    return values.mean(axis=0), values.std(axis=0, ddof=1) / np.sqrt(len(values))


def check_mean(name, values, predicted, unit=""):
    """`check` of the mean of independent repeats (R,) against a prediction, with the standard error that they show."""
    measured, stderr = mean_error(values)
    return check(name, measured, predicted, stderr, unit=unit)


def check_share(name, values, predicted, count):
    """`check_mean` of shares that are each of `count` cases; the error is at least the binomial one of the prediction."""
    measured, stderr = mean_error(values)
    binomial = math.sqrt(predicted * (1 - predicted) / (count * len(values)))
    return check(name, measured, predicted, max(stderr, binomial))


def record(id, claim, verdict, why, checks, figures=(), *, notebook):
    """Write one claim with its verdict and checks to $ENTANGLEMENT_OUT/claims/<id>.json and return it, displayable.

    id: the notebook number and a short name, such as "01-zero-loss"; notebook: its file stem.
    verdict: one of VERDICTS, on the paper's claim; the checks are on our predictions. figures: names of saved figures.
    """
    if verdict not in VERDICTS:
        raise ValueError(f"verdict: {verdict!r} is not one of {VERDICTS}")
    if not checks:
        raise ValueError(f"checks: claim {id!r} has none")
    names = [c["name"] for c in checks]
    if len(set(names)) < len(names):
        raise ValueError(f"checks: names repeat in {names!r}")
    entry = Claim(
        id=id, claim=claim, notebook=notebook, verdict=verdict, why=why, figures=list(figures), checks=[_recomputed(c) for c in checks]
    )
    write_whole(output_dir() / "claims" / f"{id}.json", dumps([entry]))
    return entry


def _recomputed(c):
    """The check made again from its own rounded numbers, so that `holds` follows from what is stored."""
    return check(c["name"], c["measured"], c["predicted"], c["stderr"], c["tolerance"], c["unit"])


def dumps(claims):
    """The bytes of a claims file: sorted by id, one stable layout, six significant digits."""
    return (json.dumps(sorted(claims, key=lambda c: c["id"]), indent=1, ensure_ascii=False) + "\n").encode()


def load(path):
    """Claims of a file as a list of dicts: id, claim, notebook, verdict, why, figures, checks.

    checks: dicts of name, measured, predicted, stderr, tolerance, unit, holds; scalars only.
    Raises ValueError naming the file if it is not a claims file.
    """
    try:
        entries = json.loads(Path(path).read_text(encoding="utf-8"))
        return [Claim({key: entry[key] for key in Claim.KEYS}) for entry in entries]
    except (OSError, json.JSONDecodeError, KeyError, TypeError, UnicodeDecodeError) as error:
        raise ValueError(f"path: {str(path)!r} is not a claims file ({error})") from error


class Claim(dict):
    """A claim as a plain dict that Jupyter shows as a table of its checks."""

    KEYS = ("id", "claim", "notebook", "verdict", "why", "figures", "checks")

    def _repr_markdown_(self):
        rows = [
            f"| {_cell(c['name'])} | {_text(c['measured'])} | {_text(c['predicted'])} | {_text(c['tolerance'])} | {c['unit']} | "
            f"{'yes' if c['holds'] else '**NO**'} |"
            for c in self["checks"]
        ]
        head = "| our prediction | measured | predicted | tolerance | unit | holds |\n| --- | --- | --- | --- | --- | --- |\n"
        return f"**{self['claim']}**\n\nVerdict: **{self['verdict']}**. {self['why']}\n\n{head}" + "\n".join(rows)

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


def markdown(claims):
    """The paper's sentences as a Markdown table for README: what was tested, where, the verdict and why."""
    lines = ["| the paper says | claim as tested, and verdict | where | predictions that hold |", "| --- | --- | --- | --- |"]
    for number, sentence in SENTENCES.items():
        rows = [_row(claim) for claim in claims if claim["notebook"].startswith(number)] or ["not tested here yet | |"]
        lines += [f"| {sentence if first else ''} | {row} |" for first, row in zip([True] + [False] * len(rows), rows)]
    return "\n".join(lines)


def agreement(claims):
    """A sentence for README on all predictions: how many hold, and how far those with a standard error are from what was measured."""
    checks = [c for claim in claims for c in claim["checks"]]
    own = [c for c in checks if c["stderr"]]
    common = [c for c in own if math.isclose(c["tolerance"], STANDARD_ERRORS * c["stderr"], rel_tol=1e-4)]
    z = [(c["measured"] - c["predicted"]) / c["stderr"] for c in common]
    good = sum(c["holds"] for c in checks)
    deviations = ""
    if z:
        rms, most = np.sqrt(np.mean(np.square(z))), np.abs(z).max()
        deviations = f" Their deviations have a root mean square of {rms:.2f} standard errors (1 by chance) and a maximum of {most:.1f}."
    return (
        f"{good} of {len(checks)} predictions hold. {len(z)} of them are statistical.{deviations} The other {len(checks) - len(z)} are "
        "identities, bounds or slopes whose tolerance stands beside them in the notebook."
    )


def overview(claims):
    """Claims as a Markdown table for notebook 00, with links that start in notebooks/."""
    rows = [
        f"| {_cell(claim['claim'])} | **{claim['verdict']}** | {good} of {total} | [{claim['notebook'][:2]}]({claim['notebook']}.ipynb) |"
        for claim in claims
        for good, total in [passed(claim)]
    ]
    return "\n".join(["| claim as tested | verdict | predictions that hold | notebook |", "| --- | --- | --- | --- |", *rows])


def _row(claim):
    good, total = passed(claim)
    figures = ", ".join(f"[{name}](figures/{name}.png)" for name in claim["figures"])
    book = f"[notebook {claim['notebook'][:2]}](notebooks/{claim['notebook']}.ipynb)"
    return f"{_cell(claim['claim'])}: **{claim['verdict']}**. {_cell(claim['why'])} | {book}: {figures} | {good} of {total}"


def _rounded(value):
    return float(f"{float(value):.{DIGITS}g}")


def _cell(text):
    return text.replace("|", "\\|")


def _text(value):
    return f"{value:.4g}"
