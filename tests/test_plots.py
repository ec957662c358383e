"""Figures: whole or not at all, the same bytes from all processors, one style, their words."""

import re

import matplotlib
import numpy as np
import pytest
from PIL import Image

from companion import claims, plots, tree


@pytest.fixture(autouse=True)
def out(tmp_path, monkeypatch):
    monkeypatch.setenv("ENTANGLEMENT_OUT", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "words").mkdir()
    (tmp_path / "words" / "99.md").write_text(
        "# We ask.\n\n## 99_a\nWhat to see: {p:+.1f}.\nalt: What is drawn.\n"
    )
    return tmp_path / "figures"


def drawn(seed=0):
    fig, (left, right) = plots.figure(1, 2)
    values = np.random.default_rng(seed).uniform(size=300)
    plots.histogram(
        left, values, np.linspace(0, 1, 11), np.full(10, 0.1), label=("measured", "predicted")
    )
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
    assert first == {
        path.name: path.read_bytes() for path in (tmp_path / "again" / "figures").iterdir()
    }


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
    assert b"/Title (99_a)" in pdf and not any(
        key in pdf for key in (b"/Subject", b"/Keywords", b"/Creator", b"/CreationDate")
    )


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


# ---- one style, whoever draws


def test_a_users_style_changes_nothing(out, monkeypatch):
    plots.save(drawn(), "99_a", p=1)
    before = {path.name: path.read_bytes() for path in out.iterdir()}
    with matplotlib.rc_context():
        matplotlib.rcParams.update(
            {"lines.linewidth": 9, "xtick.direction": "in", "pdf.fonttype": 3, "savefig.dpi": 20}
        )
        plots.save(drawn(), "99_a", p=1)
    assert before == {path.name: path.read_bytes() for path in out.iterdir()}


def test_fonts_are_true_type(out):
    plots.save(drawn(), "99_a", p=1)
    pdf = (out / "99_a.pdf").read_bytes()
    assert b"/FontFile2" in pdf and b"/Type3" not in pdf


def test_a_row_shares_its_labels():
    fig, panels = plots.row(3, xlabel="depth", ylabel="share", yscale="log", ylim=(1e-3, 1))
    assert [ax.get_ylabel() for ax in panels] == ["share", "", ""]
    assert {(ax.get_xlabel(), ax.get_yscale(), ax.get_ylim()) for ax in panels} == {
        ("depth", "log", (1e-3, 1))
    }
    assert len(plots.row(1)[1]) == 1


# ---- six significant digits, before anything is binned, contoured or scaled


@pytest.mark.parametrize(
    "value, kept",
    [
        (1.23456789e-300, 1.23457e-300),
        (np.float32(1 / 3), 0.333333),
        ((0.1 + 0.2, None), (0.3, None)),
        ([1 / 3, "1/3", 12345678], [0.333333, "1/3", 12345678]),
        (np.array([[2 / 3, -np.inf]]), np.array([[0.666667, -np.inf]])),
        ([np.array([1 / 3]), (1 / 3, [1 / 3])], [np.array([0.333333]), (0.333333, [0.333333])]),
        (np.array(1 / 3), np.array(0.333333)),
        (np.array([]), np.array([])),
        (np.arange(3), np.arange(3)),
        (
            np.ma.array([1 / 3, 2.0], mask=[False, True]),
            np.ma.array([0.333333, 2.0], mask=[False, True]),
        ),
        ("text", "text"),
        (None, None),
    ],
)
def test_six_significant_digits(value, kept):
    found = plots.rounded(value)
    assert type(found) in (type(kept), float) and repr(found) == repr(kept)
    assert np.array_equal(np.isnan(plots.rounded(np.array([np.nan, 1]))), [True, False])


def scene(off):
    """All that a figure may hold, its numbers off by a relative `off`, as another processor's."""
    x, steps = np.linspace(0.1, 1, 10) * (1 + off), np.repeat([0.25, 0.5, 0.75], 4) * (1 + off)
    surface = np.outer(np.ones(6), np.repeat([1.0, 2.0, 3.0], 2)) * (1 + off)
    fig, axes = plots.figure(2, 4, size=(12, 6))
    a, b, c, d, e, f, g, h = axes.flat
    a.hist(steps, bins=[0, 0.25, 0.5, 0.75, 1]), a.stairs(x, np.arange(11) * (1 + off))
    plots.histogram(b, steps, np.array([0, 0.25, 0.5, 0.75, 1]), steps[:4])
    c.contourf(surface, levels=[1, 2, 3]), d.contour(surface, levels=[2])
    e.pcolormesh(surface), f.imshow(surface)
    plots.points(g, x, x**2, x / 10), plots.paths(g, x, np.outer(x, x)), plots.law(g, x, x)
    g.set(xlim=(x[0], None), ylim=(0, x[-1] * 2), xticks=list(x[:3]))
    (
        h.scatter(x, x),
        h.fill_between(x, x, 2 * x),
        h.bar(x, x, 0.01),
        h.step(x, x),
        h.quiver(x, x, x, x),
    )
    h.axhline(x[3]), h.axvspan(x[0], x[1]), h.text(x[2], x[2], "here"), h.twinx().plot(x, x**3)
    (
        h.annotate("there", (x[4], x[4]), xytext=(x[5], x[6])),
        h.text(0.5 + off, 0.5, "mid", transform=h.transAxes),
    )
    h.inset_axes((0.1, 0.6, 0.3, 0.3)).plot(x, x**2)
    fig.add_subplot(4, 4, 16).hlines(x, 0, x)
    fig.colorbar(f.images[0], ax=f)
    return fig


def saved(out, off):
    plots.save(scene(off), "99_a", p=1)
    return {path.name: path.read_bytes() for path in out.iterdir()}


def test_the_last_digits_of_a_processor_change_no_picture(out, monkeypatch):
    exact = saved(out, 0)
    assert all(saved(out, off) == exact for off in (-1e-12, 1e-12))
    assert saved(out, 1e-4) != exact
    monkeypatch.setattr(plots, "rounded", lambda value: value)
    assert all(saved(out, -1e-12)[name] != exact[name] for name in exact)


def test_added_axes_are_panels_and_round_whatever_is_public():
    fig, ax = plots.figure()
    for added in (fig.add_subplot(), ax.twinx(), ax.inset_axes((0, 0, 1, 1))):
        assert isinstance(added, plots.Panel)
    for (
        name
    ) in "plot errorbar scatter stairs hist step imshow contourf quiver set_xlim text".split():
        assert getattr(plots.Panel, name).__wrapped__


@pytest.mark.parametrize("stem", tree.stems())
def test_notebooks_draw_through_plots_alone(stem):
    cells = [cell for cell in tree.read(stem)["cells"] if cell["cell_type"] == "code"]
    code = "\n".join("".join(cell["source"]) for cell in cells)
    past = r"\b(add_(axes|artist|patch|line|collection)|set_x?y?data|set_offsets)\("
    assert not re.search(rf"matplotlib|pyplot|pylab|seaborn|plotly|{past}", code)
