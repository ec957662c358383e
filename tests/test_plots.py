"""Figures: whole or not at all, the same bytes twice, caption and alt text inside."""

import numpy as np
import pytest
from PIL import Image

from companion import claims, plots


@pytest.fixture(autouse=True)
def out(tmp_path, monkeypatch):
    monkeypatch.setenv("ENTANGLEMENT_OUT", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "words").mkdir()
    (tmp_path / "words" / "99.md").write_text("# We ask.\n\n## 99_a\nWhat to see: {p:+.1f}.\nalt: What is drawn.\n")
    return tmp_path / "figures"


def drawn(seed=0):
    fig, (left, right) = plots.figure(1, 2)
    values = np.random.default_rng(seed).uniform(size=300)
    plots.histogram(left, values, np.linspace(0, 1, 11), np.full(10, 0.1), label=("measured", "predicted"))
    plots.law(right, [0, 1], [0, 1], "law")
    plots.points(right, [0, 1], [0.1, 0.9], [0.1, 0.1], "points")
    plots.paths(right, [0, 1], np.array([[0, 1], [1, 0]]), label="paths")
    return fig


def test_two_saves_give_the_same_bytes(out, tmp_path, monkeypatch):
    plots.save(drawn(), "99_a", {"x": [1, 2]}, p=1)
    first = {path.name: path.read_bytes() for path in out.iterdir()}
    monkeypatch.setenv("ENTANGLEMENT_OUT", str(tmp_path / "again"))
    plots.save(drawn(), "99_a", {"x": [1, 2]}, p=1)
    assert set(first) == {"99_a.png", "99_a.pdf", "99_a.csv"}
    assert first == {path.name: path.read_bytes() for path in (tmp_path / "again" / "figures").iterdir()}


def test_another_measurement_gives_other_pixels(out):
    pixels = []
    for seed in (0, 1):
        plots.save(drawn(seed), "99_a", p=1)
        pixels.append(np.asarray(Image.open(out / "99_a.png")))
    assert not np.array_equal(*pixels)


def test_the_words_are_shown_and_the_files_hold_the_name_only(out, monkeypatch):
    shown = []
    monkeypatch.setattr(plots, "display", lambda *given, **options: shown.append((given, options)))
    plots.save(drawn(), "99_a", p=1)
    (picture, options), (caption, _) = shown
    assert picture[0]["text/plain"] == options["metadata"]["image/png"]["alt"] == "What is drawn."
    assert caption[0].data == "**99_a.** What to see: +1.0."
    with Image.open(out / "99_a.png") as image:
        assert image.text == {"Title": "99_a"}
    pdf = (out / "99_a.pdf").read_bytes()
    assert b"/Title (99_a)" in pdf and not any(key in pdf for key in (b"/Subject", b"/Keywords", b"/Creator", b"/CreationDate"))


def test_an_interrupted_save_leaves_the_old_figure(out, monkeypatch):
    plots.save(drawn(0), "99_a", p=1)
    before = {path.name: path.read_bytes() for path in out.iterdir()}

    def broken(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(claims.os, "replace", broken)
    with pytest.raises(KeyboardInterrupt):
        plots.save(drawn(1), "99_a", p=1)
    assert before == {path.name: path.read_bytes() for path in out.iterdir()}


@pytest.mark.parametrize("name, numbers", [("99_a", {}), ("99_b", dict(p=1))])
def test_a_figure_needs_its_words(out, name, numbers):
    with pytest.raises(ValueError, match=name):
        plots.save(drawn(), name, **numbers)
    assert not out.exists()


def test_columns_of_different_length_are_refused():
    with pytest.raises(ValueError, match="data: columns differ"):
        plots.save(drawn(), "99_a", {"x": [1, 2], "y": [1]}, p=1)


def test_the_palette_is_told_apart_without_colour():
    """Theory is a line and a measurement a marker, so that no reader depends on hue."""
    fig, ax = plots.figure(1, 1)
    (line,) = plots.law(ax, [0, 1], [0, 1])
    marks = plots.points(ax, [0, 1], [0, 1]).lines[0]
    assert line.get_marker() == "None" and line.get_linestyle() == "-"
    assert marks.get_marker() == "o" and marks.get_linestyle() == "None"
