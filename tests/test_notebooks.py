"""What nbval does not check: that notebooks were run, show what figures/ holds, keep the rules."""

import base64
import io
import re

import pytest

from companion import claims, parameters, refresh, tree, verify, words

STEMS = tree.stems()
NBVAL_IGNORED = set()  # (stem, cell number) of cells whose outputs may differ from run to run
MAX_BYTES = 2_000_000

books = pytest.mark.parametrize("stem", STEMS)


def code(stem):
    return [cell for cell in tree.read(stem)["cells"] if cell["cell_type"] == "code"]


def source(cell):
    return "".join(cell["source"])


def bundles(stem, kind):
    """The stored outputs that have this mime type."""
    shown = [output for cell in code(stem) for output in cell["outputs"]]
    return [output for output in shown if kind in output.get("data", {})]


def outputs(stem, kind):
    """What the stored outputs of this mime type hold."""
    return ["".join(output["data"][kind]) for output in bundles(stem, kind)]


def committed_claims():
    return claims.load(tree.FIGURES / "claims.json")


def test_there_are_notebooks_claims_and_figures():
    assert STEMS and committed_claims()
    assert any(tree.figures_of(stem) for stem in STEMS)


@books
def test_was_run_from_top_to_bottom(stem):
    cells = code(stem)
    assert [cell["execution_count"] for cell in cells] == list(range(1, len(cells) + 1))
    kinds = [output["output_type"] for cell in cells for output in cell["outputs"]]
    assert kinds and "error" not in kinds


@books
def test_nothing_is_hidden_from_nbval(stem):
    for number, cell in enumerate(code(stem), start=1):
        marks = " ".join([source(cell), *cell["metadata"].get("tags", [])])
        hidden = re.search(r"nbval|pytest_validate|raises-exception", marks, re.I)
        assert not hidden or (stem, number) in NBVAL_IGNORED, f"cell [{number}] has {hidden[0]}"


@books
def test_no_output_shows_an_object(stem):
    """Such as `<matplotlib.legend.Legend at 0x7f...>`: another number each run, for nothing."""
    for text in outputs(stem, "text/plain"):
        assert not re.search(r" at 0x[0-9a-f]+>", text), text[:80]


@books
def test_parameters_are_declared_checked_and_as_refreshed(stem):
    first, second = code(stem)[:2]
    assert "parameters" in first["metadata"].get("tags", [])
    known = parameters.declared(source(first))
    assert known["seed"].type == "int" and known["quick"].type == "bool"
    for parameter in known.values():
        parameter.checked(parameter.default)
    assert f'parameters.check("{tree.number(stem)}", globals())' in source(second)
    assert tree.read(stem)["metadata"]["companion"]["parameters"] == source(first)


@books
def test_is_small(stem):
    assert tree.file_of(stem).stat().st_size < MAX_BYTES


@books
def test_lists_its_figures(stem):
    listed = tree.figures_of(stem)
    assert listed == sorted(path.name for path in tree.FIGURES.glob(f"{stem.split('_')[0]}_*"))
    pictures = {name.rsplit(".", 1)[0] for name in listed}
    assert {f"{name}.{kind}" for name in pictures for kind in ("png", "pdf")} <= set(listed)


@books
def test_pictures_have_an_alt_text(stem):
    """The text that stands for a picture elsewhere, which nbval compares."""
    for output in bundles(stem, "image/png"):
        alt = output["metadata"]["image/png"]["alt"]
        assert alt and alt == "".join(output["data"]["text/plain"])


@books
def test_pictures_shown_are_those_of_figures(stem):
    from PIL import Image

    shown = {}
    for data in outputs(stem, "image/png"):
        content = base64.b64decode(data)
        shown[Image.open(io.BytesIO(content)).info.get("Title")] = content
    for name in tree.figures_of(stem):
        if name.endswith(".png"):
            stored = (tree.FIGURES / name).read_bytes()
            assert verify.picture(stored, shown[name.removesuffix(".png")]) != verify.DIFFERENT, (
                name
            )


@books
def test_records_claims(stem):
    """All but the overview, which shows those of the others."""
    recording = {entry["notebook"] for entry in committed_claims()}
    assert stem in recording or tree.number(stem) == "00"


def test_figures_holds_nothing_else():
    listed = {name for stem in STEMS for name in tree.figures_of(stem)}
    assert {path.name for path in tree.FIGURES.iterdir()} == listed | {"claims.json", "README.md"}


def test_every_verdict_is_one_of_four():
    assert {entry["verdict"] for entry in committed_claims()} <= set(words.VERDICTS)
    assert {entry["notebook"] for entry in committed_claims()} <= set(STEMS)


def test_every_check_holds():
    """Recomputed from the stored numbers, which were rounded to six digits."""
    for entry in committed_claims():
        for check in entry["checks"]:
            measured, predicted = check["measured"], check["predicted"]
            rounding = 10.0**-claims.DIGITS * (abs(measured) + abs(predicted))
            close = abs(measured - predicted) <= check["tolerance"] * (1 + 1e-5) + rounding
            assert close and check["holds"], f"{entry['id']}: {check['name']}"


def test_figures_of_claims_exist():
    for entry in committed_claims():
        for name in entry["figures"]:
            assert (tree.FIGURES / f"{name}.png").exists(), f"{entry['id']}: {name}"


def test_claims_are_written_as_the_pipeline_writes_them():
    assert (tree.FIGURES / "claims.json").read_bytes() == claims.dumps(committed_claims())


def test_generated_texts_are_current():
    """The tables of README and of notebooks, and the gallery."""
    for path, text in refresh.generated():
        assert path.read_text(encoding="utf-8") == text, path.name
