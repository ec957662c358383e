"""Figures: whole or not at all, the same bytes twice, caption and alt text inside."""

import numpy as np
import pytest
from PIL import Image

from companion import claims, plots


@pytest.fixture(autouse=True)
def out(tmp_path, monkeypatch):
    monkeypatch.setenv("ENTANGLEMENT_OUT", str(tmp_path))
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
    plots.save(drawn(), "99_same", "caption", "alt", {"x": [1, 2]})
    first = {path.name: path.read_bytes() for path in out.iterdir()}
    monkeypatch.setenv("ENTANGLEMENT_OUT", str(tmp_path / "again"))
    plots.save(drawn(), "99_same", "caption", "alt", {"x": [1, 2]})
    assert set(first) == {"99_same.png", "99_same.pdf", "99_same.csv"}
    assert first == {path.name: path.read_bytes() for path in (tmp_path / "again" / "figures").iterdir()}


def test_another_measurement_gives_other_bytes(out):
    plots.save(drawn(0), "99_a", "caption", "alt")
    plots.save(drawn(1), "99_b", "caption", "alt")
    assert not np.array_equal(*(np.asarray(Image.open(out / f"99_{name}.png")) for name in "ab"))


def test_caption_and_alt_text_are_stored(out):
    plots.save(drawn(), "99_text", "what to see: ±p", "what is drawn")
    with Image.open(out / "99_text.png") as picture:
        assert (picture.text["Description"], picture.text["Comment"]) == ("what to see: ±p", "what is drawn")


def test_an_interrupted_save_leaves_the_old_figure(out, monkeypatch):
    plots.save(drawn(0), "99_kept", "caption", "alt")
    before = {path.name: path.read_bytes() for path in out.iterdir()}

    def broken(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(claims.os, "replace", broken)
    with pytest.raises(KeyboardInterrupt):
        plots.save(drawn(1), "99_kept", "caption", "alt")
    assert before == {path.name: path.read_bytes() for path in out.iterdir()}


@pytest.mark.parametrize("caption, alt", [("", "alt"), ("caption", "")])
def test_a_figure_needs_caption_and_alt_text(caption, alt):
    with pytest.raises(ValueError, match="99_bare"):
        plots.save(drawn(), "99_bare", caption, alt)


def test_columns_of_different_length_are_refused():
    with pytest.raises(ValueError, match="data: columns differ"):
        plots.save(drawn(), "99_csv", "caption", "alt", {"x": [1, 2], "y": [1]})


def test_the_palette_is_told_apart_without_colour():
    """Theory is a line and a measurement a marker, so that no reader depends on hue."""
    fig, ax = plots.figure(1, 1)
    (line,) = plots.law(ax, [0, 1], [0, 1])
    marks = plots.points(ax, [0, 1], [0, 1]).lines[0]
    assert line.get_marker() == "None" and line.get_linestyle() == "-"
    assert marks.get_marker() == "o" and marks.get_linestyle() == "None"
