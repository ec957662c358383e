"""What can be set in a notebook, declared once in its cell tagged `parameters`, one a line:

width: int = 256  # 2 to 4096: k, rows kept by a layer
tone: str = "low"  # one of low, high: of the voice
sample: "path" = ""  # a file of yours (a path and a bool have no range)
"""

import ast
import os
import re
from dataclasses import dataclass

from companion.tree import Refused, find, read

RANGE, CHOICES = re.compile(r"(\S+) to (\S+): *(.*)"), re.compile(r"one of ([^:]+): *(.*)")
SWITCH = {"true": True, "yes": True, "false": False, "no": False}
VALUES = {"int": int, "float": (int, float), "bool": bool, "str": str, "path": str}


@dataclass(frozen=True)
class Parameter:
    """One parameter: its type, and its range (low, high) or choices where it has them."""

    name: str
    type: str
    default: object
    low: float = None
    high: float = None
    choices: tuple = ()
    help: str = ""

    def checked(self, value):
        """The value; refused if it is of another type or out of range."""
        flag = type(value) is bool  # an int to isinstance
        if not isinstance(value, VALUES[self.type]) or flag != (self.type == "bool"):
            raise Refused(f"{self.name}: {value} is not of type {self.type}")
        if self.low is not None and not self.low <= value <= self.high:
            raise Refused(f"{self.name}: {value} is outside [{self.low}, {self.high}]")
        if self.choices and value not in self.choices:
            raise Refused(f"{self.name}: {value} is not one of {', '.join(self.choices)}")
        if self.type == "path" and value and not os.path.exists(value):
            raise Refused(f"{self.name}: {value}: there is no such file")
        return value

    def read(self, text):
        """The value that a text typed by the user stands for; refused in the same words."""
        try:
            value = READERS[self.type](text)
        except (ValueError, KeyError):
            raise Refused(f"{self.name}: {text or repr(text)} is not of type {self.type}") from None
        return self.checked(value)

    def __str__(self):
        if self.low is not None:
            return f"{self.name} ({self.type}, {self.low} to {self.high})"
        return f"{self.name} ({', '.join(self.choices) or self.type})"


def existing_path(text):
    """The absolute path of a file named where the user typed the command, if there is one."""
    folders = [os.environ.get("TYPED_IN", ""), os.getcwd()]
    paths = [os.path.abspath(os.path.join(folder, text)) for folder in folders if folder and text]
    return next(filter(os.path.exists, paths), text)


READERS = {
    "int": int,
    "float": float,
    "bool": lambda text: SWITCH[text.lower()],
    "str": str,
    "path": existing_path,
}


def cell(book):
    """The code cell tagged `parameters`, None if there is none."""
    tagged = (c for c in book["cells"] if "parameters" in c["metadata"].get("tags", []))
    return next(tagged, None)


def declared(source):
    """{name: Parameter} of the source of a parameters cell.

    Refused, by the parameter's name, where a line declares no type or no range.
    """
    lines = source.encode().splitlines()  # ast counts bytes
    return dict(parameter(node, lines) for node in ast.parse(source).body)


def parameter(node, lines):
    """(name, Parameter) of one statement of a parameters cell."""
    if not isinstance(node, ast.AnnAssign):
        raise Refused(f"parameters: {ast.unparse(node)!r} declares no type")
    name, kind = node.target.id, ast.unparse(node.annotation).strip("'\"")
    text = lines[node.end_lineno - 1][node.end_col_offset :].decode().partition("#")[2].strip()
    known, default = dict(help=text), ast.literal_eval(node.value)
    if kind in ("int", "float") and (found := RANGE.fullmatch(text)):
        low, high = map(in_numbers, found.groups()[:2])
        known = dict(low=low, high=high, help=found[3])
    elif kind == "str" and (found := CHOICES.fullmatch(text)):
        known = dict(choices=tuple(re.split(r", | or ", found[1])), help=found[2])
    elif kind not in ("bool", "path"):
        raise Refused(f"{name}: no range is declared in {text!r}, want such as '2 to 9: what'")
    return name, Parameter(name, kind, default, **known)


def in_numbers(text):
    """A number as it is written: 2 stays 2, 1e-3 becomes a float."""
    return int(text) if re.fullmatch(r"-?\d+", text) else float(text)


def check(notebook, values):
    """Refuse, in a notebook's second cell, what its first one was changed to.

    notebook: its number, such as "01"; values: globals(). Raises a ValueError that begins with the
    parameter's name, before anything large is made.
    """
    for name, known in declared("".join(cell(read(find(notebook)))["source"])).items():
        known.checked(values[name])
