"""Checks and verdicts: record them in a notebook, load them, render them as tables."""

import json
import math
import os
import tempfile
from numbers import Integral
from pathlib import Path

import numpy as np
from scipy.stats import norm, t

from companion import words

VERDICTS = ("holds", "holds, trivially", "holds with a condition", "does not hold")
DIGITS = 6
SOURCES = ("paper", "reading", "ours")  # whose claim: the paper's words, our reading of them, our own question
KINDS = ("matrices", "law")
COARSE = 0.1  # relative error that a good check would notice
LEVEL = 4  # standard errors: their level is that of every statistical check


def output_dir():
    """Folder that notebooks write to: $ENTANGLEMENT_OUT, by default build/local/ of the checkout (or of the cwd)."""
    if os.environ.get("ENTANGLEMENT_OUT"):
        return Path(os.environ["ENTANGLEMENT_OUT"])
    return root() / "build" / "local"


def root():
    """The checkout that this library stands in, or the working directory."""
    checkout = Path(__file__).resolve().parents[2]
    return checkout if (checkout / "Makefile").is_file() else Path.cwd()


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
    """One comparison of our prediction with a measurement; whether it holds is computed here, never passed in.

    measured, predicted, stderr, tolerance: finite scalars in `unit`. kind: "matrices" (every weight of the network in question
    was drawn or trained) or "law" (drawn from the law that the prediction uses). A statistical check gives its standard error
    and the independent `repeats` behind it: its tolerance is Student's quantile of the level of four standard errors. Any other
    states its tolerance and the reason. resolution: the smallest relative error that it would notice; of 1 - share for a
    `share` above 1/2; None where the prediction is 0.
    """
    if kind not in KINDS:
        raise ValueError(f"kind: {kind!r} is not one of {KINDS}")
    statistical = stderr is not None
    if statistical and (tolerance is not None or reason is not None):
        raise ValueError(f"tolerance: {name!r} has a standard error, which sets it")
    if not statistical and (tolerance is None or not reason):
        raise ValueError(f"tolerance: {name!r} has no standard error, so it states one and the reason")
    if statistical:
        _within("stderr", name, stderr, 0)
        if not isinstance(repeats, Integral) or repeats < 2:
            raise ValueError(f"repeats: {name!r} has {repeats!r}, want a whole number above 1")
        tolerance = student(repeats) * stderr
    _within("tolerance", name, tolerance, 0)
    for key, value in (("measured", measured), ("predicted", predicted)):
        _within(key, name, value, *((0, 1) if share else ()))
    measured, predicted, tolerance = map(_rounded, (measured, predicted, tolerance))
    size = 1 - predicted if share and predicted > 0.5 else abs(predicted)
    return dict(
        name=name,
        kind=kind,
        measured=measured,
        predicted=predicted,
        stderr=_rounded(stderr) if statistical else None,
        repeats=int(repeats) if statistical else None,
        tolerance=tolerance,
        resolution=_rounded(tolerance / size) if size else None,
        unit=unit,
        reason=reason,
        holds=bool(abs(measured - predicted) <= tolerance),
    )


def student(repeats):
    """Student's quantile for the mean of so many repeats, of the level of four standard errors: 17.5 for 5, 4.5 for 40."""
    return float(t.isf(norm.sf(LEVEL), repeats - 1))


def _within(key, name, value, low=-math.inf, high=math.inf):
    if isinstance(value, bool) or np.ndim(value) or not np.isrealobj(value) or not math.isfinite(value) or not low <= value <= high:
        raise ValueError(f"{key}: {name!r} has {value!r}, want a finite number in [{low:g}, {high:g}]")


def mean_error(values):
    """Mean and standard error over the first axis, whose entries are two or more independent repeats."""
    values = np.asarray(values, dtype=float)
    if not values.ndim or len(values) < 2 or not np.isfinite(values).all():
        raise ValueError(f"values: shape {values.shape}; want two or more finite repeats")
    return values.mean(axis=0), values.std(axis=0, ddof=1) / np.sqrt(len(values))


def check_mean(name, values, predicted, *, kind, share=False, unit=""):
    """`check` of the mean of independent repeats (R,), with the standard error that they show."""
    measured, stderr = mean_error(values)
    return check(
        name, measured, predicted, kind=kind, stderr=stderr, repeats=len(values), share=share, unit=unit
    )


def check_share(name, values, predicted, count, *, kind):
    """`check_mean` of shares (R,) of `count` cases each; the error is at least the binomial one of the prediction."""
    _within("predicted", name, predicted, 0, 1)
    _within("count", name, count, 1)
    measured, stderr = mean_error(values)
    stderr = max(stderr, math.sqrt(predicted * (1 - predicted) / (count * len(values))))
    return check(name, measured, predicted, kind=kind, stderr=stderr, repeats=len(values), share=True)


def record(id, checks, **open_numbers):
    """Write one claim with its checks to $ENTANGLEMENT_OUT/claims/<id>.json and return it, displayable.

    id: the notebook's number and a short name, such as "01a-zero-loss". Claim, source, verdict, figures and why are the
    section of that name in words/NN.md, whose open numbers are given by name. ValueError for what does not fit.
    """
    texts = words.fill(id, **open_numbers)
    for key, known in (("verdict", VERDICTS), ("source", SOURCES)):
        if texts.get(key) not in known:
            raise ValueError(f"{key}: {id!r} has {texts.get(key)!r}, not one of {known}")
    names = [c["name"] for c in checks]
    if not names or len(set(names)) < len(names):
        raise ValueError(f"checks: {id!r} has none, or names that repeat: {names!r}")
    entry = Claim(
        id=id,
        claim=texts["claim"],
        source=texts["source"],
        notebook=next(Path().glob(f"{id[:2]}_*.ipynb")).stem,
        verdict=texts["verdict"],
        why=texts["why"],
        figures=[name.strip() for name in texts.get("figures", "").split(",") if name.strip()],
        checks=list(checks),
    )
    write_whole(output_dir() / "claims" / f"{id}.json", dumps([entry]))
    return entry


def dumps(claims):
    """The bytes of a claims file: sorted by id, one stable layout, six significant digits."""
    return (json.dumps(sorted(claims, key=lambda c: c["id"]), indent=1, ensure_ascii=False) + "\n").encode()


def load(path):
    """Claims of a file as a list of dicts: id, claim, source, notebook, verdict, why,
    figures, checks.

    checks: dicts of name, kind, measured, predicted, stderr, repeats, tolerance, resolution, unit, reason, holds; scalars or
    None.
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
        head = ["check", "against", "measured", "predicted", "tolerance", "would notice", "holds"]
        rows = [
            [
                _cell(c["name"]) + (f" ({c['reason']})" if c["reason"] else ""),
                c["kind"],
                _text(c["measured"]),
                f"{_text(c['predicted'])} {c['unit']}".strip(),
                _text(c["tolerance"]),
                "" if c["resolution"] is None else f"{c['resolution']:.2%}",
                "yes" if c["holds"] else "**NO**",
            ]
            for c in self["checks"]
        ]
        lines = ["| " + " | ".join(row) + " |" for row in (head, ["---"] * len(head), *rows)]
        return f"**{self['claim']}**\n\nVerdict: **{self['verdict']}**. {self['why']}\n\n" + "\n".join(lines)

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
    """A Markdown table for README: a row a notebook, the sentence that it tests and its verdicts."""
    lines = ["| notebook | tests | verdicts |", "| --- | --- | --- |"]
    for stem in sorted({claim["notebook"] for claim in claims}):
        sentence = words.read(root() / "notebooks" / "words" / f"{stem[:2]}.md")["title"]
        verdicts = "; ".join(claim["verdict"] for claim in claims if claim["notebook"] == stem)
        lines.append(f"| [{stem[:2]}](notebooks/{stem}.ipynb) | {_cell(sentence)} | {verdicts} |")
    return "\n".join(lines)


def agreement(claims):
    """Sentences on all checks: how many hold, against what, how far from it, and how many are coarse."""
    checks = [c for claim in claims for c in claim["checks"]]
    parts = []
    for kind, against in (("matrices", "against whole matrices"), ("law", "drawn from the law")):
        own = [c for c in checks if c["kind"] == kind]
        coarse = sum(c["resolution"] is not None and c["resolution"] > COARSE for c in own)
        parts.append(f"{sum(c['holds'] for c in own)} of {len(own)} {against} hold ({coarse} would not notice 10 %)")
    z = [(c["measured"] - c["predicted"]) / c["stderr"] for c in checks if c["stderr"]]
    rms, most = np.sqrt(np.mean(np.square(z))), np.abs(z).max()
    return f"Of {len(checks)} checks, {'; '.join(parts)}. {len(z)} are statistical: their deviations have a root mean square of {rms:.2f} standard errors and a maximum of {most:.1f}."


def overview(claims):
    """Claims as a Markdown table for notebook 00, with links that start in notebooks/."""
    rows = [
        f"| {_cell(claim['claim'])} | **{claim['verdict']}** | {good} of {total} | [{claim['notebook'][:2]}]({claim['notebook']}.ipynb) |"
        for claim in claims
        for good, total in [passed(claim)]
    ]
    return "\n".join(["| claim as tested | verdict | predictions that hold | notebook |", "| --- | --- | --- | --- |", *rows])


def _rounded(value):
    return float(f"{float(value):.{DIGITS}g}")


def _cell(text):
    return text.replace("|", "\\|")


def _text(value):
    return f"{value:.4g}"
