"""`make test-parameters`: every notebook at both ends of every range. Not collected by `make test`.

A notebook runs to its end, or it refuses by the name of a parameter: two ends may not go together.
"""

import re

import pytest

from companion import parameters, run, tree


def known(stem):
    """The parameters that a notebook declares."""
    return parameters.declared(parameters.cell(run.stored(stem)).source)


def ends():
    """(stem, name, value) of every end of every range, and of every choice."""
    for stem in tree.stems():
        for name, parameter in known(stem).items():
            for value in parameter.choices or (parameter.low, parameter.high):
                if value is not None:
                    yield stem, name, str(value)


@pytest.mark.parametrize(("stem", "name", "value"), list(ends()))
def test_runs_or_refuses_by_name(capsys, stem, name, value):
    code = run.main([stem, "--quick", "-p", name, value])
    told = capsys.readouterr().err
    refused = re.search(r"^\w*(?:Error|Refused): (\w+)", told, re.M)
    assert code == 0 or (refused and refused[1] in known(stem)), told
