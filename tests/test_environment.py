"""One list of packages, three files: pyproject.toml (ranges), constraints.txt (exact, for pip), environment.yml (exact, for conda)."""

import os
import re
import subprocess
import tomllib
from importlib import metadata

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from companion import run as pipeline, refresh

CONDA_NAMES = {"torch": "pytorch-cpu"}
CONDA_ONLY = {"python": "3.11", "make": None, "pip": None}

PROJECT = tomllib.loads((pipeline.LIB / "pyproject.toml").read_text())["project"]
EXTRAS = PROJECT["optional-dependencies"]
CONDA = yaml.safe_load((pipeline.ROOT / "environment.yml").read_text())
TEXT = (pipeline.LIB / "constraints.txt").read_text()
PINS = {canonicalize_name(name): version for name, version in re.findall(r"^([\w.-]+)==(\S+)$", TEXT, re.M)}
DIRECT = [Requirement(text) for text in PROJECT["dependencies"] + EXTRAS["notebooks"] + EXTRAS["test"]]


def conda_packages():
    return dict((entry.split("=", 1) + [None])[:2] for entry in CONDA["dependencies"] if isinstance(entry, str))


def test_constraints_are_exact_and_local_to_no_index():
    lines = [line for line in TEXT.splitlines() if line and not line.startswith("#")]
    assert len(lines) == len(PINS) > 100
    assert "+" not in "".join(lines) and "/" not in "".join(lines)
    assert PINS["torch"] == "2.13.0"
    assert not {"pip", "setuptools", "computational-entanglement"} & set(PINS)


@pytest.mark.parametrize("requirement", [*DIRECT, *map(Requirement, EXTRAS["extras"])], ids=str)
def test_ranges_admit_the_pins(requirement):
    assert requirement.specifier, "a range is wanted"
    assert requirement.specifier.contains(PINS[canonicalize_name(requirement.name)])


def test_constraints_cover_what_packages_need():
    """Every package that an installed one of ours needs here, in turn, is pinned, and at the version installed if pip made this."""
    missing, todo, seen = set(), [(name, frozenset(extras)) for name, extras in named()], set()
    while todo:
        name, extras = todo.pop()
        if (name, extras) in seen:
            continue
        seen.add((name, extras))
        if name not in PINS and name not in ("pip", "setuptools"):
            missing.add(name)
        try:
            needs = map(Requirement, metadata.requires(name) or [])
        except metadata.PackageNotFoundError:
            continue  # of `extras`, which may not be installed
        for need in needs:
            if need.marker is None or any(need.marker.evaluate({"extra": extra}) for extra in {"", *extras}):
                todo.append((canonicalize_name(need.name), frozenset(need.extras)))
    assert len(seen) > 100
    assert not missing


def named():
    for requirement in [*DIRECT, *map(Requirement, EXTRAS["extras"])]:
        yield canonicalize_name(requirement.name), requirement.extras


def test_conda_has_the_same_packages_at_the_same_versions():
    expected = {CONDA_NAMES.get(r.name, r.name): PINS[canonicalize_name(r.name)] for r in DIRECT}
    assert conda_packages() == expected | CONDA_ONLY


def test_conda_follows_the_rules_of_repo2docker():
    assert CONDA["channels"] == ["conda-forge"]
    assert "  - python=3.11\n" in (pipeline.ROOT / "environment.yml").read_text()
    assert [entry for entry in CONDA["dependencies"] if not isinstance(entry, str)] == [{"pip": ["-e ./lib"]}]
    core = [Requirement(text).name for text in PROJECT["dependencies"]]
    assert set(core) <= set(conda_packages()), "pip would install what conda did not"


def test_every_target_of_the_makefile_is_in_its_help():
    makefile = (pipeline.ROOT / "Makefile").read_text()
    targets = re.search(r"^TARGETS := (.*)$", makefile, re.M)[1].split()
    assert {"all", "test", "quick", "run", "lab", "bench", "refresh", "lint", "clean", "help"} <= set(targets)
    text = subprocess.run(["make", "help"], cwd=pipeline.ROOT, capture_output=True, text=True, check=True).stdout
    assert set(targets) == set(re.findall(r"^  make ([\w-]+)", text, re.M))


def test_binder_builds_from_environment_yml():
    """The rules of repo2docker: what would take precedence is absent, Python is asked for just so, and pip adds only this library."""
    rivals = ["binder", ".binder", "Dockerfile", "Pipfile", "Pipfile.lock", "requirements.txt", "setup.py", "runtime.txt", "Project.toml"]
    assert [name for name in rivals if (pipeline.ROOT / name).exists()] == []
    assert "python=3.11" in CONDA["dependencies"] and "prefix" not in CONDA
    (by_pip,) = (entry["pip"] for entry in CONDA["dependencies"] if isinstance(entry, dict))
    assert by_pip == ["-e ./lib"]
    assert {"jupyterlab", "ipywidgets", "make"} <= set(conda_packages())


@pytest.mark.parametrize("limit, jobs", [("1.0", "1"), ("0.5", "1"), ("3", "3")])
def test_make_runs_no_more_jobs_than_a_hub_lends_processors(limit, jobs):
    call = subprocess.run(
        ["make", "-pn", "help"], cwd=pipeline.ROOT, capture_output=True, text=True, env={**os.environ, "CPU_LIMIT": limit}
    )
    assert re.search(r"^JOBS := (.*)$", call.stdout, re.M)[1] == jobs


def test_the_binder_link_is_made_from_one_variable(monkeypatch):
    monkeypatch.setattr(refresh, "REPOSITORY", "someone/something")
    assert "https://mybinder.org/v2/gh/someone/something/HEAD?labpath=notebooks/00_overview.ipynb" in refresh.binder([])


def test_no_address_of_an_index_or_of_a_machine_is_written_down():
    root = pipeline.ROOT
    files = ["Makefile", "environment.yml", ".ci/run", ".github/workflows/ci.yml", "lib/pyproject.toml", "lib/constraints.txt"]
    for name in files:
        assert not re.search(r"https?://|file://|index-url|find-links|/(opt|home|root)/", (root / name).read_text()), name


def test_nothing_else_lies_at_the_top():
    tracked = subprocess.run(["git", "ls-files"], cwd=pipeline.ROOT, capture_output=True, text=True).stdout.split("\n")
    top = {name.split("/")[0] for name in tracked if name and not name.startswith(".")}
    assert top <= {"README.md", "environment.yml", "Makefile", "LICENSE", "CITATION.cff", "notebooks", "lib", "figures", "tests"}
