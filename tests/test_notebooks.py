"""What nbval does not check: that notebooks were run, show what figures/ and claims.json hold, and keep the house rules."""

import ast
import base64
import io
import json
import re

import pytest

from companion import claims, run as pipeline, refresh, verify

STEMS = pipeline.stems()
NBVAL_IGNORED = set()  # (stem, cell number) of cells whose outputs may differ from run to run
MAX_BYTES, MAX_LINES = 2_000_000, 20

books = pytest.mark.parametrize("stem", STEMS)


def read(stem):
    return json.loads((pipeline.NOTEBOOKS / f"{stem}.ipynb").read_text(encoding="utf-8"))


def code(stem):
    return [cell for cell in read(stem)["cells"] if cell["cell_type"] == "code"]


def source(cell):
    return "".join(cell["source"])


def outputs(stem, kind):
    """(data, metadata) of the stored outputs that have this mime type."""
    bundles = [output for cell in code(stem) for output in cell["outputs"] if kind in output.get("data", {})]
    return [("".join(bundle["data"][kind]), bundle["metadata"].get(kind, {})) for bundle in bundles]


def committed_claims():
    return claims.load(pipeline.FIGURES / "claims.json")


def test_there_are_notebooks_claims_and_figures():
    assert STEMS and committed_claims()
    assert any(pipeline.listed_figures(stem) for stem in STEMS)


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
    """Such as `<matplotlib.legend.Legend at 0x7f...>`: another number each run, and nothing to a reader."""
    for text, _ in outputs(stem, "text/plain"):
        assert not re.search(r" at 0x[0-9a-f]+>", text), text[:80]


@books
def test_parameters_are_typed(stem):
    (cell,) = [cell for cell in code(stem) if "parameters" in cell["metadata"].get("tags", [])]
    body = ast.parse(source(cell)).body
    assert all(isinstance(line, ast.AnnAssign) for line in body), "every parameter has a type"
    types = {line.target.id: ast.unparse(line.annotation).strip("'\"") for line in body}
    assert types["seed"] == "int" and types["quick"] == "bool"
    assert set(types.values()) <= set(pipeline.TYPES)


@books
def test_every_parameter_can_be_set(stem):
    """papermill passes over a line with a second equals sign, were it in a comment; its parameter can then not be set."""
    from papermill import inspect_notebook

    (cell,) = [cell for cell in code(stem) if "parameters" in cell["metadata"].get("tags", [])]
    names = {line.target.id for line in ast.parse(source(cell)).body}
    assert set(inspect_notebook(str(pipeline.NOTEBOOKS / f"{stem}.ipynb"))) == names


@books
def test_is_small(stem):
    assert (pipeline.NOTEBOOKS / f"{stem}.ipynb").stat().st_size < MAX_BYTES
    for number, cell in enumerate(code(stem), start=1):
        assert len(source(cell).splitlines()) <= MAX_LINES, f"cell [{number}]"


@books
def test_lists_its_figures(stem):
    listed = pipeline.listed_figures(stem)
    assert listed == sorted(path.name for path in pipeline.FIGURES.glob(f"{stem.split('_')[0]}_*"))
    pictures = {name.rsplit(".", 1)[0] for name in listed}
    assert {f"{name}.{kind}" for name in pictures for kind in ("png", "pdf")} <= set(listed)


@books
def test_pictures_shown_are_those_of_figures(stem):
    from PIL import Image

    shown = {}
    for data, metadata in outputs(stem, "image/png"):
        assert metadata.get("alt"), "a picture has no alt text"
        content = base64.b64decode(data)
        shown[Image.open(io.BytesIO(content)).info.get("Title")] = content
    for name in pipeline.listed_figures(stem):
        if name.endswith(".png"):
            stored = (pipeline.FIGURES / name).read_bytes()
            assert verify.picture(stored, shown[name.removesuffix(".png")]) != verify.DIFFERENT, name


@books
def test_records_claims(stem):
    """All but the overview, which shows those of the others."""
    assert f"{stem}.ipynb" == refresh.OVERVIEW or any(entry["notebook"] == stem for entry in committed_claims())


def test_figures_holds_nothing_else():
    listed = {name for stem in STEMS for name in pipeline.listed_figures(stem)}
    assert {path.name for path in pipeline.FIGURES.iterdir()} == listed | {"claims.json"}


def test_every_verdict_is_one_of_four():
    assert {entry["verdict"] for entry in committed_claims()} <= set(claims.VERDICTS)
    assert {entry["notebook"] for entry in committed_claims()} <= set(STEMS)


def test_every_check_holds():
    """Recomputed from the stored numbers, which were rounded to six digits after `holds` was computed."""
    for entry in committed_claims():
        for check in entry["checks"]:
            rounding = 10.0**-claims.DIGITS * (abs(check["measured"]) + abs(check["predicted"]))
            close = abs(check["measured"] - check["predicted"]) <= check["tolerance"] * (1 + 1e-5) + rounding
            assert close and check["holds"], f"{entry['id']}: {check['name']}"


def test_figures_of_claims_exist():
    for entry in committed_claims():
        for name in entry["figures"]:
            assert (pipeline.FIGURES / f"{name}.png").exists(), f"{entry['id']}: {name}"


def test_claims_are_written_as_the_pipeline_writes_them():
    assert (pipeline.FIGURES / "claims.json").read_bytes() == claims.dumps(committed_claims())


def test_tables_are_current():
    """Those of README and of notebook 00."""
    for path, text in refresh.generated():
        assert path.read_text(encoding="utf-8") == text, path.name
