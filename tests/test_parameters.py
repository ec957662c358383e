"""Parameters: declared in one cell, read and refused by their own name."""

import pytest

from companion import pins
from companion.parameters import declared

CELL = """width: int = 256  # 2 to 4096: k, rows = columns: kept
rate: float = 1  # 1e-3 to 10: a step
tone: str = "low"  # one of low, very high or none: a voice
ask: bool = True  # or not
own: "path" = ""  # a file, 1 to 2: no range"""


def test_a_cell_declares_type_range_and_help():
    known = declared(CELL)
    assert list(known) == ["width", "rate", "tone", "ask", "own"]
    width, rate, tone = (known[name] for name in ("width", "rate", "tone"))
    assert (width.type, width.default, width.low, width.high) == ("int", 256, 2, 4096)
    assert width.help == "k, rows = columns: kept"
    assert (rate.low, rate.high, rate.default) == (1e-3, 10, 1)
    assert tone.choices == ("low", "very high", "none") and tone.help == "a voice"
    assert known["own"].low is None and known["own"].help == "a file, 1 to 2: no range"


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("width", "2", 2),
        ("rate", "1e-3", 1e-3),
        ("rate", "5", 5),
        ("tone", "very high", "very high"),
        ("ask", "No", False),
        ("own", "", ""),
        ("own", "Makefile", None),
    ],
)
def test_a_text_is_read(monkeypatch, name, text, value):
    folder = pins.LIB.parent
    monkeypatch.setenv("TYPED_IN", str(folder))
    assert declared(CELL)[name].read(text) == (str(folder / text) if value is None else value)


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("width", 1, "width: 1 is outside [2, 4096]"),
        ("width", 4097, "width: 4097 is outside"),
        ("width", 64.0, "width: 64.0 is not of type int"),
        ("width", True, "width: True is not of type int"),
        ("rate", float("nan"), "rate: nan is outside [0.001, 10]"),
        ("rate", "1", "rate: 1 is not of type float"),
        ("tone", "loud", "tone: loud is not one of low, very high, none"),
        ("ask", 1, "ask: 1 is not of type bool"),
        ("own", "/nowhere", "own: /nowhere: there is no such file"),
    ],
)
def test_a_value_is_refused_by_name(name, value, message):
    with pytest.raises(ValueError) as refusal:
        declared(CELL)[name].checked(value)
    assert str(refusal.value).startswith(message)


@pytest.mark.parametrize(
    ("line", "name"),
    [
        ("width = 4  # 1 to 9: no type", "parameters"),
        ("width: int = 4  # no range", "width"),
        ("tone: str = 'a'  # no choices", "tone"),
        ("tone: list = []  # 1 to 2: no such type", "tone"),
    ],
)
def test_a_line_that_declares_nothing_is_refused(line, name):
    with pytest.raises(ValueError, match=f"^{name}: "):
        declared(line)


def test_pins_can_be_left_out(monkeypatch):
    monkeypatch.setenv("PINS", "")
    assert not pins.pinned() and not set(pins.KERNELS) & set(pins.environment())
    monkeypatch.delenv("PINS")
    assert set(pins.KERNELS) <= set(pins.environment()) or not pins.pinned()
