"""Claims as a notebook leaves them."""

import json
import os

import numpy as np
import pytest

from companion import claims

CHECK = claims.check("slope", 1.23456789, 1.2, stderr=0.02, unit="nats per layer")
CLAIM = dict(id="01-zero-loss", claim="zero loss on noise", verdict="holds", why="one bit is left", notebook="01_zero_loss_on_noise")


@pytest.fixture(autouse=True)
def out(tmp_path, monkeypatch):
    monkeypatch.setenv("ENTANGLEMENT_OUT", str(tmp_path))
    return tmp_path


def test_record_then_load(out):
    entry = claims.record(**CLAIM, checks=[CHECK], figures=("01_loss",))
    path = out / "claims" / "01-zero-loss.json"
    assert claims.load(path) == [entry] == [{**CLAIM, "figures": ["01_loss"], "checks": [CHECK]}]
    assert list(out.rglob("*.*")) == [path] and path.stat().st_mode & 0o777 == 0o644
    for value in claims.load(path)[0]["checks"][0].values():
        assert isinstance(value, str | float | bool)


def test_six_digits_and_no_numpy():
    check = claims.check("n", np.float32(1 / 3), np.int64(1234567), stderr=np.float64(1e-12) / 7, tolerance=2e9)
    assert [check[key] for key in ("measured", "predicted", "stderr")] == [0.333333, 1234570.0, 1.42857e-13]
    assert {type(check[key]) for key in ("measured", "predicted", "stderr", "tolerance")} == {float} and check["holds"] is True


@pytest.mark.parametrize("measured, holds", [(1.079, True), (0.921, True), (1.081, False), (0.919, False)])
def test_holds_within_four_standard_errors(measured, holds):
    check = claims.check("m", measured, 1.0, stderr=0.02)
    assert check["tolerance"] == 0.08 and check["holds"] is holds


def test_a_given_tolerance_counts():
    assert claims.check("m", 3, 1, stderr=0.02, tolerance=2)["holds"] and not claims.check("m", 3, 1, tolerance=1.9)["holds"]
    assert claims.check("exact", 1, 1, tolerance=0)["holds"]


def test_holds_is_computed_never_passed():
    with pytest.raises(TypeError, match="holds"):
        claims.check("m", 1.0, 2.0, stderr=0.1, holds=True)


@pytest.mark.parametrize(
    "arguments, message",
    [
        (dict(stderr=-1.0), "stderr: 'm' has -1.0"),
        (dict(stderr=np.nan), "stderr: 'm' has nan"),
        (dict(stderr=np.inf), "stderr: 'm' has inf"),
        (dict(tolerance=np.inf), "tolerance: 'm' has inf"),
        (dict(measured=np.nan, tolerance=1), "measured: 'm' has nan"),
        (dict(predicted=np.inf, tolerance=1), "predicted: 'm' has inf"),
    ],
)
def test_checks_that_cannot_be_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        claims.check(**{**dict(name="m", measured=1.0, predicted=1.0), **arguments})


@pytest.mark.parametrize(
    "arguments, message",
    [
        (dict(verdict="true"), "verdict: 'true'"),
        (dict(checks=[]), "checks: .*01-zero-loss"),
        (dict(checks=[CHECK, CHECK]), "checks: .*slope"),
    ],
)
def test_claims_that_cannot_be_are_refused(out, arguments, message):
    with pytest.raises(ValueError, match=message):
        claims.record(**{**CLAIM, "checks": [CHECK], **arguments})
    assert not list(out.iterdir())


@pytest.mark.parametrize("text", [b"", b"{", b"[1]", b'{"id": 1}', b'[{"id": "01"}]', b"\xff\xfe"])
def test_load_names_a_file_that_holds_no_claims(out, text):
    path = out / "odd.json"
    path.write_bytes(text)
    with pytest.raises(ValueError, match="path: .*odd.json"):
        claims.load(path)


@pytest.mark.parametrize("error", [OSError, KeyboardInterrupt])
def test_an_interrupted_write_leaves_the_old_file(out, monkeypatch, error):
    claims.record(**CLAIM, checks=[CHECK])
    path = out / "claims" / "01-zero-loss.json"
    before = path.read_bytes()

    def interrupted(source, target):
        assert target == path and path.read_bytes() == before
        raise error

    monkeypatch.setattr(os, "replace", interrupted)
    with pytest.raises(error):
        claims.record(**{**CLAIM, "why": "another"}, checks=[CHECK])
    assert path.read_bytes() == before and list(path.parent.iterdir()) == [path]


def test_one_stable_layout():
    first, second = ({**CLAIM, "id": name, "figures": [], "checks": [CHECK]} for name in ("01-ä", "02-b"))
    assert claims.dumps([second, first]) == claims.dumps([first, second])
    assert "01-ä".encode() in claims.dumps([first]) and claims.dumps([first]).endswith(b"]\n")
    assert json.loads(claims.dumps([first])) == [first]


def test_tables_name_what_fails():
    failing = claims.check("gain", 3.0, 1.0, tolerance=0.5, unit="nats")
    entry = claims.record(**{**CLAIM, "verdict": "does not hold"}, checks=[CHECK, failing])
    assert claims.passed(entry) == (1, 2)
    text = claims.table([entry])
    assert "FAILS: gain: 3, not 1 +- 0.5 nats" in text and "FAILS: slope" not in text and "1/2" in text
    shown = entry._repr_markdown_()
    assert "| gain | 3 | 1 | 0.5 | nats | **NO** |" in shown and "| nats per layer | yes |" in shown and "**does not hold**" in shown
    assert repr(entry) == "01-zero-loss: does not hold (1 of 2 predictions hold)"


def test_the_readme_table_has_a_row_for_every_claim_and_every_sentence():
    entry = claims.record(**{**CLAIM, "why": "a | b"}, checks=[CHECK], figures=("01_loss",))
    head, _, *rows = claims.markdown([entry]).splitlines()
    assert len(rows) == len(claims.SENTENCES) and all(row.replace(r"\|", "").count("|") == head.count("|") for row in rows)
    assert all(sentence in row for sentence, row in zip(claims.SENTENCES.values(), rows, strict=True))
    for part in (CLAIM["claim"], "**holds**", r"a \| b", "notebooks/01_zero_loss_on_noise.ipynb", "figures/01_loss.png", "1 of 1"):
        assert part in rows[0] and not any(part in row for row in rows[1:])


def test_output_goes_to_build_by_default(monkeypatch):
    monkeypatch.delenv("ENTANGLEMENT_OUT")
    assert claims.output_dir().parts[-2:] == ("build", "local")


def test_without_error_and_tolerance_the_two_must_be_equal():
    assert claims.check("m", 2.0, 2.0)["holds"] and not claims.check("m", 2.0, 2.0 + 1e-9)["holds"]


def test_a_share_has_at_least_the_binomial_error():
    check = claims.check_share("s", [1.0] * 40, 0.99, 25)
    assert check["stderr"] == pytest.approx(np.sqrt(0.99 * 0.01 / 1000), rel=1e-5) and check["holds"]
    assert not claims.check_share("s", [1.0] * 40, 0.9, 25)["holds"]
    assert claims.check_share("s", [0.4, 0.6] * 20, 0.5, 10**6)["stderr"] == pytest.approx(0.1 / np.sqrt(39), rel=1e-5)


def test_agreement_counts_predictions_and_measures_their_deviations():
    checks = [claims.check(f"number {z}", 5 + z * 0.1, 5, 0.1) for z in (-1, 1, 2, -5)] + [claims.check("identity", 1.0, 1.0)]
    text = claims.agreement([dict(checks=checks)])
    assert text.startswith("4 of 5 predictions hold. 4 of them are statistical")
    assert f"{np.sqrt(31 / 4):.2f} standard errors (1 by chance) and a maximum of 5.0" in text and "The other 1 are" in text
