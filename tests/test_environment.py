"""What an environment is made of, and what the Makefile promises.

One list of packages stands in three files: lib/pyproject.toml (ranges), lib/constraints.txt (exact
versions, for pip) and environment.yml (exact versions, for conda).
"""

import ast
import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from importlib import metadata
from itertools import product
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

from companion.tree import LIB, NOTEBOOKS, ROOT

PYTHONS, SYSTEMS = ("3.11", "3.12", "3.13"), {"linux": "Linux", "darwin": "Darwin"}
CONDA_NAMES = {"torch": "pytorch-cpu"}
CONDA_ONLY = {"python": "3.11", "make": None, "pip": None}
CONDA_LACKS = {"math-core", "pymupdf", "ziamath"}  # it has the second for Linux only

PROJECT = tomllib.loads((LIB / "pyproject.toml").read_text())["project"]
PARTS = {
    part: [Requirement(text) for text in texts]
    for part, texts in PROJECT["optional-dependencies"].items()
}
CORE = [Requirement(text) for text in PROJECT["dependencies"]]
DIRECT = [*CORE, *PARTS["notebooks"], *PARTS["test"]]
EVERY = [*DIRECT, *PARTS["extras"]]

CONDA = yaml.safe_load((ROOT / "environment.yml").read_text())
BY_CONDA = [entry for entry in CONDA["dependencies"] if isinstance(entry, str)]
(BY_PIP,) = (entry["pip"] for entry in CONDA["dependencies"] if isinstance(entry, dict))

LINES = [line for line in (LIB / "constraints.txt").read_text().splitlines() if line[0] != "#"]
PINS = {canonicalize_name(name): version for name, version in (line.split("==") for line in LINES)}
MAKEFILE = (ROOT / "Makefile").read_text()
ALONE = dict(os.environ)
for name in ("MAKEFLAGS", "MAKELEVEL", "PINS"):
    ALONE.pop(name, None)


def variable(name, **environment):
    """A variable of the Makefile, as make sees it."""
    call = ["make", "-pn", "help"]
    told = subprocess.run(call, cwd=ROOT, env=ALONE | environment, capture_output=True, text=True)
    return re.search(rf"^{name} :?= (.*)$", told.stdout, re.M)[1]


# ---- the list of packages


def test_constraints_are_exact_and_of_no_index():
    assert len(LINES) == len(PINS) > 100
    assert LINES == sorted(LINES, key=lambda line: canonicalize_name(line.split("==")[0]))
    assert not re.search(r"[+/;]", "".join(LINES))
    assert PINS["torch"] == "2.13.0"
    assert not {"pip", "computational-entanglement"} & set(PINS)


@pytest.mark.parametrize("requirement", EVERY, ids=str)
def test_ranges_admit_the_pins(requirement):
    assert requirement.specifier, "a range is wanted"
    assert requirement.specifier.contains(PINS[canonicalize_name(requirement.name)])


def test_pins_take_the_first_release_of_each_python():
    """Debian 12 has 3.11.2: a pin that wants 3.11.5 would end the set-up there."""
    known = {canonicalize_name(package.name): package for package in metadata.distributions()}
    asked = {
        name: known[name].metadata.get("Requires-Python") or ""
        for name, version in PINS.items()
        if name in known and known[name].version.partition("+")[0] == version
    }
    assert len(asked) > 100
    for name, pythons in asked.items():
        assert all(f"{version}.0" in SpecifierSet(pythons) for version in PYTHONS), (name, pythons)


def needs(name, extras):
    """What a package asks for with these extras, on any Python and system of ours.

    Nothing is known of it if it is not installed at its pinned version (or at all: an extra).
    """
    try:
        installed = metadata.distribution(name)
    except metadata.PackageNotFoundError:
        return
    if installed.version.partition("+")[0] != PINS.get(name, installed.version):
        return
    places = [
        {"python_version": version, "python_full_version": f"{version}.0", "extra": extra}
        | {"sys_platform": system, "platform_system": SYSTEMS[system]}
        for version, system, extra in product(PYTHONS, SYSTEMS, ("", *extras))
    ]
    for need in map(Requirement, installed.requires or []):
        if need.marker is None or any(map(need.marker.evaluate, places)):
            yield need


def test_constraints_cover_what_packages_need():
    """In turn; but for the CUDA packages whose versions torch's CUDA build names itself."""
    unpinned, named_by_torch, seen, todo = set(), set(), set(), list(EVERY)
    while todo:
        need = todo.pop()
        name, extras = canonicalize_name(need.name), frozenset(need.extras)
        if name not in PINS:
            unpinned.add(name)
        if re.match("(nvidia|cuda)-|triton$", name) and str(need.specifier).startswith("=="):
            named_by_torch.add(name)
        if (name, extras) not in seen:
            seen.add((name, extras))
            todo += needs(name, extras)
    assert len(seen) > 100
    assert unpinned <= named_by_torch


def test_conda_has_the_same_packages_at_the_same_versions():
    names = {requirement.name: canonicalize_name(requirement.name) for requirement in DIRECT}
    pinned = {CONDA_NAMES.get(name, name): PINS[names[name]] for name in set(names) - CONDA_LACKS}
    assert dict((entry.split("=", 1) + [None])[:2] for entry in BY_CONDA) == pinned | CONDA_ONLY
    assert BY_PIP == ["-e ./lib", *(f"{name}=={PINS[name]}" for name in sorted(CONDA_LACKS))]


def test_binder_builds_from_environment_yml():
    """The rules of repo2docker: nothing takes precedence, and Python is asked for just so."""
    rivals = "binder .binder Dockerfile Pipfile Pipfile.lock requirements.txt setup.py runtime.txt"
    assert [name for name in [*rivals.split(), "Project.toml"] if (ROOT / name).exists()] == []
    assert "  - python=3.11\n" in (ROOT / "environment.yml").read_text()
    assert CONDA["channels"] == ["conda-forge"] and "prefix" not in CONDA
    by_conda = {entry.split("=")[0] for entry in BY_CONDA}
    assert {"jupyterlab", "ipywidgets", "make"} <= by_conda
    assert {requirement.name for requirement in CORE} <= by_conda, "pip would bring it"


def test_no_address_is_written_down_but_that_of_torchs_cpu_builds():
    files = ["Makefile", "environment.yml", ".ci/run", ".github/workflows/ci.yml"]
    text = "".join((ROOT / name).read_text() for name in [*files, "lib/pyproject.toml"])
    address = "--index-url https://download.pytorch.org/whl/cpu "
    assert text.count(address) == 1
    rest = text.replace(address, "")
    assert not re.search(r"https?://|file://|index-url|find-links|/(opt|home|root)/", rest)


# ---- the Makefile


def test_every_target_is_in_the_help():
    targets = set(variable("TARGETS").split())
    wanted = "all test quick run lab bench sweep verify teeth html binder test-browser "
    wanted += "test-parameters refresh lint clean help"
    assert set(wanted.split()) <= targets
    told = subprocess.run(["make", "help"], cwd=ROOT, capture_output=True, text=True, check=True)
    assert targets == set(re.findall(r"^  make ([\w-]+)", told.stdout, re.M))


@pytest.mark.parametrize("limit, jobs", [("1.0", "1"), ("0.5", "1"), ("3", "3")])
def test_no_more_jobs_than_a_hub_lends_processors(limit, jobs):
    assert variable("JOBS", CPU_LIMIT=limit) == jobs


@pytest.mark.parametrize("given, pins", [({}, "yes"), ({"PINS": ""}, "")])
def test_kernels_are_pinned_unless_told_otherwise(given, pins):
    assert variable("PINS", **given) == pins


def imported(source):
    """The files of our two packages that a source imports, each with its packages' own."""
    names = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ImportFrom):
            names |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
        elif isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
    for name in names:
        if name.split(".")[0] in ("entanglement", "companion"):
            path = LIB / name.replace(".", "/")
            yield from filter(Path.exists, (path.with_suffix(".py"), path / "__init__.py"))


def test_figures_depend_on_all_that_a_notebook_imports():
    books = [json.loads(path.read_text())["cells"] for path in NOTEBOOKS.glob("*.ipynb")]
    cells = [cell for book in books for cell in book if cell["cell_type"] == "code"]
    found, todo = set(), ["".join(cell["source"]) for cell in cells]
    while todo:
        fresh = set(imported(todo.pop())) - found
        found |= fresh
        todo += [file.read_text() for file in fresh]
    assert len(found) > 10
    assert {str(file.relative_to(ROOT)) for file in found} <= set(variable("LIBRARY").split())


@pytest.fixture
def bare(tmp_path):
    """A checkout whose path has a blank and an apostrophe, and the PATH of a bare machine."""
    root, tools = tmp_path / "Ada's own copy", tmp_path / "bin"
    (root / "lib").mkdir(parents=True)
    tools.mkdir()
    for name in ("Makefile", "lib/constraints.txt", "lib/pyproject.toml"):
        shutil.copy(ROOT / name, root / name)
    for name in ("env", "getconf", "make", "sh", "touch"):
        (tools / name).symlink_to(shutil.which(name))

    def run(**pythons):
        for name, does in pythons.items():
            (tools / name.replace("_", ".")).write_text(f"#!{shutil.which('sh')}\n{does}\n")
            (tools / name.replace("_", ".")).chmod(0o755)
        environment = {**ALONE, "PATH": str(tools)}
        call = ["make", "lint"]
        return subprocess.run(call, cwd=root, env=environment, capture_output=True, text=True)

    return run


def test_without_a_python_make_says_which_is_needed(bare):
    told = bare(python3_13="exit 1", python3="exit 1")
    assert told.returncode != 0 and "Python 3.11, 3.12 or 3.13" in told.stderr
    assert "Syntax error" not in told.stderr


def test_the_newest_python_found_makes_the_environment(bare):
    works = 'case "$1" in --version) echo Python 3.%s;; -m) exit 7;; esac'
    told = bare(python3_13="exit 1", python3_12=works % 12, python3_11=works % 11)
    assert "Making .venv with Python 3.12" in told.stdout and told.returncode != 0


def test_an_active_python_that_has_everything_is_taken(bare):
    told = bare(python3=f"exec '{sys.executable}' \"$@\"")
    assert told.returncode == 0 and ".venv" not in told.stdout + told.stderr


def test_nothing_else_lies_at_the_top():
    call = ["git", "ls-files"]
    tracked = subprocess.run(call, cwd=ROOT, capture_output=True, text=True).stdout.split("\n")
    top = {Path(name).parts[0] for name in tracked if name and not name.startswith(".")}
    files = {"README.md", "environment.yml", "Makefile", "LICENSE", "CITATION.cff"}
    assert top <= files | {"notebooks", "lib", "figures", "tests"}
