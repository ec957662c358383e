"""Claims as a notebook leaves them."""

import json
import os

import numpy as np
import pytest

from companion import claims, teeth

MATRICES = dict(kind="matrices")
CHECK = claims.check(
    "slope", 1.23456789, 1.2, stderr=0.02, repeats=10, unit="nats per layer", **MATRICES
)
NAMES = "name kind measured predicted stderr repeats tolerance reason resolution unit holds".split()
CLAIM = dict(
    id="01-zero-loss",
    claim="zero loss on noise",
    source="paper",
    notebook="01_zero_loss_on_noise",
    verdict="holds",
    why="one bit of 8 is left",
    figures=["01_loss"],
)
WORDS = """# Noise is fitted.

## 01_loss
It falls.
alt: It falls.

## 01-zero-loss
claim: zero loss on noise
source: paper
verdict: holds
figures: 01_loss
why: one bit of {bits} is left
"""


@pytest.fixture(autouse=True)
def out(tmp_path, monkeypatch):
    """A notebook's working directory, and the folder that it writes to."""
    monkeypatch.setenv("ENTANGLEMENT_OUT", str(tmp_path / "out"))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "words").mkdir()
    (tmp_path / "words" / "01.md").write_text(WORDS)
    (tmp_path / "01_zero_loss_on_noise.ipynb").touch()
    return tmp_path / "out"


def test_record_then_load(out):
    entry = claims.record("01-zero-loss", [CHECK], bits=8)
    path = out / "claims" / "01-zero-loss.json"
    assert claims.load(path) == [entry] == [{**CLAIM, "checks": [CHECK]}]
    assert list(out.rglob("*.*")) == [path] and path.stat().st_mode & 0o777 == 0o644
    assert list(entry) == [
        "id",
        "claim",
        "source",
        "notebook",
        "verdict",
        "why",
        "figures",
        "checks",
    ]
    assert list(claims.load(path)[0]["checks"][0]) == NAMES


def test_six_digits_and_no_numpy():
    check = claims.check(
        "n",
        np.float32(1 / 3),
        np.int64(1234567),
        stderr=np.float64(1e-12) / 7,
        repeats=np.int64(5),
        **MATRICES,
    )
    assert [check[key] for key in ("measured", "predicted", "stderr", "repeats")] == [
        0.333333,
        1234570.0,
        1.42857e-13,
        5,
    ]
    assert {type(value) for value in check.values()} == {str, float, int, bool, type(None)}


@pytest.mark.parametrize("repeats, quantile", [(5, 17.5), (10, 7.0), (40, 4.5), (10**6, 4.0)])
def test_the_tolerance_is_students_quantile_of_the_level_of_four_standard_errors(repeats, quantile):
    for measured, holds in ((1 + 0.9 * quantile * 0.02, True), (1 - 1.1 * quantile * 0.02, False)):
        check = claims.check("m", measured, 1, stderr=0.02, repeats=repeats, **MATRICES)
        assert (
            check["tolerance"] / 0.02 == pytest.approx(quantile, abs=0.06)
            and check["holds"] is holds
        )


def test_the_tolerance_is_exceeded_by_chance_as_often_as_its_level_says(monkeypatch):
    """At the level of two standard errors, where it can be counted: by 4.55 % of means of three."""
    monkeypatch.setattr(claims, "STANDARD_ERRORS", 2)
    mean, error = claims.mean_error(np.random.default_rng(0).standard_normal((3, 20000)))
    beyond = np.mean(np.abs(mean) > claims.student_quantile(3) * error)
    assert beyond == pytest.approx(0.0455, abs=0.006)


def test_a_check_without_a_standard_error_states_its_tolerance_and_why():
    stated = dict(tolerance=2, reason="a bound", **MATRICES)
    assert (
        claims.check("m", 3, 1, **stated)["holds"]
        and not claims.check("m", 3.01, 1, **stated)["holds"]
    )
    check = claims.check("m", 3, 1, **stated)
    assert (check["stderr"], check["repeats"], check["reason"]) == (None, None, "a bound")


@pytest.mark.parametrize(
    "predicted, share, resolution",
    [
        (2, False, 0.05),
        (-2, False, 0.05),
        (0, False, None),
        (0.25, True, 0.4),
        (0.75, True, 0.4),
        (1, True, None),
        (0, True, None),
    ],
)
def test_resolution_is_the_smallest_relative_error_that_a_check_would_notice(
    predicted, share, resolution
):
    check = claims.check(
        "m", predicted, predicted, tolerance=0.1, reason="r", share=share, **MATRICES
    )
    assert check["resolution"] == resolution


def test_holds_is_computed_never_passed():
    with pytest.raises(TypeError, match="holds"):
        claims.check("m", 1.0, 2.0, stderr=0.1, repeats=5, holds=True, **MATRICES)


@pytest.mark.parametrize(
    "arguments, message",
    [
        (dict(stderr=-1.0), "stderr: 'm' has -1.0"),
        (dict(stderr=np.nan), "stderr: 'm' has nan"),
        (dict(stderr=np.inf), "stderr: 'm' has inf"),
        (dict(repeats=1), "repeats: 1"),
        (dict(repeats=2.5), "repeats: 2.5"),
        (dict(repeats=np.nan), "repeats: nan"),
        (dict(repeats=np.inf), "repeats: inf"),
        (dict(repeats=None), "repeats: None"),
        (dict(kind="theory"), "kind: 'm' has 'theory'"),
        (dict(tolerance=1), "tolerance: 'm' has 1"),
        (dict(stderr=None, tolerance=1), "tolerance, reason: 'm' has 1, None"),
        (dict(stderr=None, reason="r"), "tolerance, reason: 'm' has None"),
        (dict(stderr=None, reason="r", tolerance=-1), "tolerance: 'm' has -1"),
        (dict(stderr=None, reason="r", tolerance=np.inf), "tolerance: 'm' has inf"),
        (dict(measured=np.nan), "measured: 'm' has nan"),
        (dict(predicted=np.inf), "predicted: 'm' has inf"),
        (dict(share=True, measured=5), "measured: 'm' has 5"),
        (dict(share=True, predicted=-0.1), "predicted: 'm' has -0.1"),
    ],
)
def test_checks_that_cannot_be_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        claims.check(
            **{
                **dict(name="m", measured=1.0, predicted=1.0, stderr=0.1, repeats=5, **MATRICES),
                **arguments,
            }
        )


@pytest.mark.parametrize(
    "values, predicted, count, message",
    [
        ([0.5, 5], 0.5, 2, "values: 's'"),
        ([0.5, -0.5], 0.5, 2, "values: 's'"),
        ([0.5, np.nan], 0.5, 2, "values: 's'"),
        ([0.5, 0.3], 0.5, 2, "values: 's'"),
        ([0.5], 0.5, 2, "values: "),
        ([0.5, 1], 7, 2, "predicted: 's' has 7"),
        ([0.5, 1], 0.5, np.nan, "count: 's' has nan"),
        ([0.5, 1], 0.5, np.inf, "count: .s. has inf"),
        ([0.5, 1], 0.5, 0, "count: 's' has 0"),
        ([0.5, 1], 0.5, 2.5, "count: 's' has 2.5"),
    ],
)
def test_shares_and_counts_that_cannot_be_are_refused(values, predicted, count, message):
    with pytest.raises(ValueError, match=message):
        claims.check_share("s", values, predicted, count, **MATRICES)


@pytest.mark.parametrize(
    "id, checks, message",
    [
        ("01-zero-loss", [], "checks: .*01-zero-loss"),
        ("01-zero-loss", [CHECK, CHECK], "checks: .*slope"),
        ("01-unsaid", [CHECK], "words: .*01-unsaid"),
        ("01_loss", [CHECK], "01_loss"),
    ],
)
def test_claims_that_cannot_be_are_refused(out, id, checks, message):
    with pytest.raises(ValueError, match=message):
        claims.record(id, checks, bits=8)
    assert not out.exists()


def test_a_claim_belongs_to_one_notebook(out):
    (out.parent / "01_another.ipynb").touch()
    with pytest.raises(ValueError, match="id: '01-zero-loss' .*01_another"):
        claims.record("01-zero-loss", [CHECK], bits=8)


@pytest.mark.parametrize("text", [b"", b"{", b"[1]", b'{"id": 1}', b'[{"id": "01"}]', b"\xff\xfe"])
def test_load_names_a_file_that_holds_no_claims(out, text):
    path = out.parent / "odd.json"
    path.write_bytes(text)
    with pytest.raises(ValueError, match="path: .*odd.json"):
        claims.load(path)


@pytest.mark.parametrize("error", [OSError, KeyboardInterrupt])
def test_an_interrupted_write_leaves_the_old_file(out, monkeypatch, error):
    claims.record("01-zero-loss", [CHECK], bits=8)
    path = out / "claims" / "01-zero-loss.json"
    before = path.read_bytes()

    def interrupted(source, target):
        assert target == path and path.read_bytes() == before
        raise error

    monkeypatch.setattr(os, "replace", interrupted)
    with pytest.raises(error):
        claims.record("01-zero-loss", [CHECK], bits=9)
    assert path.read_bytes() == before and list(path.parent.iterdir()) == [path]


def test_one_stable_layout():
    first, second = ({**CLAIM, "id": name, "checks": [CHECK]} for name in ("01-ä", "02-b"))
    assert claims.dumps([second, first]) == claims.dumps([first, second])
    assert "01-ä".encode() in claims.dumps([first]) and claims.dumps([first]).endswith(b"]\n")
    assert json.loads(claims.dumps([first])) == [first]


def test_tables_name_what_fails():
    failing = claims.check(
        "gain", 3.0, 1.0, tolerance=0.5, reason="one run", kind="law", unit="nats"
    )
    entry = claims.Claim(**CLAIM, checks=[CHECK, failing])
    assert claims.passed(entry) == (1, 2)
    text = claims.table([entry])
    assert (
        "FAILS: gain: 3, not 1 +- 0.5 nats" in text and "FAILS: slope" not in text and "1/2" in text
    )
    assert repr(entry) == "01-zero-loss: holds (1 of 2 predictions hold)"


def test_a_claim_shows_its_verdict_once_and_what_each_check_would_notice():
    failing = claims.check(
        "gain", 3.0, 1.0, tolerance=0.5, reason="one run", kind="law", unit="nats"
    )
    shown = claims.Claim(**CLAIM, checks=[CHECK, failing])._repr_markdown_()
    assert shown.startswith(
        "**zero loss on noise**\n\nVerdict: **holds**. one bit of 8 is left\n\n| check |"
    )
    assert shown.count("**holds**") == 1
    assert "| gain (one run) | law | 3 | 1 nats | 0.5 | 50.00% | **NO** |" in shown
    assert "| slope | matrices | 1.235 | 1.2 nats per layer | 0.14 | 11.66% | yes |" in shown


def test_the_readme_table_tells_the_papers_claims_from_ours():
    own = dict(a="holds|paper", b="fails|ours", c="holds|paper", d="holds|reading")
    entries = []
    for name, said in own.items():
        verdict, source = said.split("|")
        changed = dict(id=f"01{name}", notebook="01_stem", verdict=verdict, source=source)
        entries.append(claims.Claim(**CLAIM | changed, checks=[CHECK]))
    _, _, *rows = claims.markdown(entries).splitlines()
    assert rows == ["| [01](notebooks/01_stem.ipynb) | holds | fails; holds |"]


def test_the_overview_links_to_the_notebooks():
    row = claims.overview([claims.Claim(**CLAIM, checks=[CHECK])]).splitlines()[2]
    assert row == "| zero loss on noise | **holds** | 1 of 1 | [01](01_zero_loss_on_noise.ipynb) |"


def test_output_goes_to_the_tree_that_one_stands_in(monkeypatch, tmp_path):
    monkeypatch.delenv("ENTANGLEMENT_OUT")
    (tmp_path / "Makefile").touch()
    monkeypatch.chdir(tmp_path / "words")
    assert claims.output_dir() == tmp_path / "build" / "local"


def test_a_share_has_at_least_the_binomial_error():
    check = claims.check_share("s", [1.0] * 40, 0.99, 25, **MATRICES)
    assert (
        check["stderr"] == pytest.approx(np.sqrt(0.99 * 0.01 / 1000), rel=1e-5) and check["holds"]
    )
    assert check["resolution"] == pytest.approx(check["tolerance"] / 0.01, rel=1e-5)
    assert not claims.check_share("s", [1.0] * 40, 0.9, 25, **MATRICES)["holds"]
    assert claims.check_share("s", [0.4, 0.6] * 20, 0.5, 10**6, **MATRICES)[
        "stderr"
    ] == pytest.approx(0.1 / np.sqrt(39), rel=1e-5)


def test_agreement_counts_by_kind_and_measures_deviations():
    checks = [
        claims.check(f"number {z}", 5 + z * 0.1, 5, stderr=0.1, repeats=10**6, **MATRICES)
        for z in (-1, 1, 2, -5)
    ]
    checks += [claims.check(str(p), p, p, tolerance=1, reason="r", kind="law") for p in (0, 5)]
    assert claims.agreement([dict(checks=checks)]) == (
        "Of 6 checks 3 of 4 against whole matrices hold (0 would not notice 10 %) and 2 of 2 drawn"
        " from the law hold (1 would not notice 10 %). 4 are statistical: their deviations have a"
        f" root mean square of {np.sqrt(31 / 4):.2f} standard errors (1 by chance) and a maximum of"
        " 5.0."
    )


def test_a_deviation_of_few_repeats_counts_as_the_normal_one_that_is_as_unlikely():
    few = claims.check("few", claims.student_quantile(5), 0, stderr=1, repeats=5, **MATRICES)
    assert (
        "root mean square of 4.00 standard errors (1 by chance) and a maximum of 4.0"
        in claims.agreement([dict(checks=[few])])
    )


@pytest.mark.parametrize(
    "kind, tolerance, sharp",
    [("matrices", 0.05, True), ("matrices", 0.051, False), ("law", 0.01, False)],
)
def test_teeth_want_a_matrix_check_that_notices_five_percent(kind, tolerance, sharp):
    coarse = claims.check("coarse", 1, 1, stderr=0.1, repeats=40, **MATRICES)
    excused = claims.check("excused", 1, 1, stderr=0.1, repeats=40, reason="rare", **MATRICES)
    checks = [
        claims.check("fine", 1, 1, tolerance=tolerance, reason="r", kind=kind),
        coarse,
        excused,
    ]
    entries = [claims.Claim(**CLAIM, checks=checks)]
    lines, good = teeth.report(entries)
    assert good is sharp and ("NO BITE" in lines[-1]) is not sharp
    assert "1 over 10 % without a reason" in lines[-1]
    assert not teeth.report([*entries, claims.Claim(**CLAIM, checks=[coarse])])[1]
