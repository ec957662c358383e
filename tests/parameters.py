"""`make test-parameters`: every notebook at both ends of every range. Not collected by `make test`.

A notebook runs to its end and its predictions hold there, or it refuses the end by its name and
value. One notebook after the other, since its runs have one place.
"""

import pytest

from companion import parameters, run, tree


def ends():
    """(stem, name, value) of every end of every range, and of every choice."""
    for stem in tree.stems():
        known = parameters.declared(parameters.cell(run.stored(stem)).source)
        for name, parameter in known.items():
            values = (False, True) if parameter.type == "bool" else parameter.choices
            for value in values or (parameter.low, parameter.high):
                if value not in (None, parameter.default):
                    place = pytest.mark.xdist_group(stem)
                    yield pytest.param(stem, name, str(value), marks=place)


@pytest.mark.parametrize(("stem", "name", "value"), list(ends()))
def test_runs_or_is_refused(capsys, stem, name, value):
    code = run.main([stem, "--quick", "-p", name, value])
    out, told = capsys.readouterr()
    assert code == 0 or f": {name}: {value} " in told, out + told
