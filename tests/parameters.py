"""`make test-parameters`: every notebook at both ends of every range. Not collected by `make test`.

A notebook runs to its end and its predictions hold there, or it refuses the end by its name. One
notebook's runs come one after the other, since they have one place.
"""

import re

import pytest

from companion import parameters, run, tree


def values(known):
    """Both ends of a parameter's range, or its other choices but those that need the network."""
    if known.type == "bool":
        return () if known.name == "quick" else (not known.default,)
    choices = () if "from the network" in known.help else known.choices
    return [one for one in choices or (known.low, known.high) if one not in (None, known.default)]


def ends():
    """(stem, name, value) of all notebooks."""
    for stem in tree.stems():
        for known in parameters.declared(parameters.cell(run.stored(stem)).source).values():
            for value in values(known):
                place = pytest.mark.xdist_group(stem)
                yield pytest.param(stem, known.name, str(value), marks=place)


@pytest.mark.parametrize(("stem", "name", "value"), list(ends()))
def test_runs_or_refuses_by_name(capsys, stem, name, value):
    code = run.main([stem, "--quick", "-p", name, value])
    out, told = capsys.readouterr()
    assert code == 0 or re.search(rf"^{name}: ", told, re.M), out + told
