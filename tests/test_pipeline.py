"""A miniature project that is not this paper: what is rerun, refused, stored, and what survives."""

import ast
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

from companion import binder, claims, lab, refresh, run, tree

PARAMETERS = """width: int = 4  # 1 to 64: side of the picture
scale: float = 1.0  # -10 to 1e3: of nothing much
tone: str = "low"  # one of low, high: of nothing at all
seed: int = 0  # 0 to 9: of no random number
quick: bool = False  # no smaller than it is
sample: "path" = ""  # a file of yours"""
PLAIN = """import os, time
from pathlib import Path
from companion import claims, parameters
parameters.check("{number}", globals())
out = claims.output_dir()
start = time.time()
claims.write_whole(out / "started", b"")
time.sleep(float(os.environ.get("TEST_SLEEP", 0)))
if os.environ.get("TEST_TIMES"):
    Path(os.environ["TEST_TIMES"], "{stem}").write_text(f"{{start}} {{time.time()}}")
claims.write_whole(out / "figures" / "{number}_bytes.png", bytes(range(width)))
table = f"{{scale}} {{Path(sample).name}}"
claims.write_whole(out / "figures" / "{number}_table.csv", table.encode())
assert "TEST_FAIL" not in os.environ, "told to fail"
print("width", width)
how = dict(kind="law", tolerance=0.5, reason="ample")
claims.record("{number}-it", [claims.check("one", 1 + seed / 100, 1, **how)])"""
PICTURED = """from companion import claims, parameters, plots
parameters.check("{number}", globals())
fig, ax = plots.figure(size=(2, 2))
plots.law(ax, [0, width], [0, 1])
plots.save(fig, "{number}_line", {{"side": [width]}}, width=width)
print("width", width)
how = dict(kind="law", tolerance=0.5, reason="ample")
claims.record("{number}-it", [claims.check("one", 1.23{number}5, 1, **how)])"""
WORDS = """# It does.

## {number}_line
To {{width}}.
alt: A line that rises to {{width}}.

## {number}-it
claim: it does
source: ours
verdict: holds
figures:
why: it must
"""
MARKERS = "".join(f"<!-- {name}:begin -->\n<!-- {name}:end -->\n" for name in refresh.README_PARTS)
README = f"before\n{MARKERS}after\n"
PUBLISHED = ["01_bytes.png", "01_table.csv"]


def write_notebook(root, stem, *sources, figures=(), parameters=PARAMETERS):
    """A notebook that was never run, and its words; figures: what a refresh would have listed."""

    def cell(number, text, tags):
        metadata = dict(tags=tags) if tags else {}
        return dict(
            cell_type="code",
            id=f"c{number}",
            metadata=metadata,
            source=text,
            outputs=[],
            execution_count=None,
        )

    kernel = dict(name="python3", display_name="Python 3", language="python")
    promised = dict(figures=list(figures), parameters=PARAMETERS)
    book = dict(
        cells=[cell(0, parameters, ["parameters"])]
        + [cell(i, text, None) for i, text in enumerate(sources, start=1)],
        metadata=dict(kernelspec=kernel, companion=promised),
        nbformat=4,
        nbformat_minor=5,
    )
    (root / "notebooks" / f"{stem}.ipynb").write_text(json.dumps(book))
    (root / "notebooks" / "words" / f"{stem[:2]}.md").write_text(WORDS.format(number=stem[:2]))


class Project:
    """A copy of the Makefile and of `companion` alone, with notebooks of its own."""

    def __init__(self, root):
        self.root = root
        for folder in ("notebooks/words", "figures", "tests"):
            (root / folder).mkdir(parents=True)
        caches = shutil.ignore_patterns("__pycache__")
        shutil.copytree(tree.LIB / "companion", root / "lib" / "companion", ignore=caches)
        for name in ("Makefile", ".pytest.ini", "tests/conftest.py", "tests/test_notebooks.py"):
            shutil.copy(tree.ROOT / name, root / name)
        (root / "README.md").write_text(README)
        ours = re.compile("MAKE|MFLAGS|PYTEST|ENTANGLEMENT|IPYTHONDIR|JUPYTER|MATPLOTLIBRC")
        self.environment = {key: value for key, value in os.environ.items() if not ours.match(key)}
        # the Python that runs this test has everything, so it is the active one there
        self.environment["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"

    def plain(self, stem):
        number = stem.split("_")[0]
        figures = [f"{number}_bytes.png", f"{number}_table.csv"]
        write_notebook(self.root, stem, PLAIN.format(stem=stem, number=number), figures=figures)

    def edit(self, name, old, new):
        """Replace a text that a file holds, once."""
        content = (self.root / name).read_text()
        assert old in content
        (self.root / name).write_text(content.replace(old, new, 1))

    def start(self, *command, cwd=None, **variables):
        environment = self.environment | {"PWD": str(cwd or self.root)} | variables
        pipes = dict(stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        # as from a terminal: a test run in the background ignores Ctrl-C, and so would its children
        heeding = dict(
            start_new_session=True, preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL)
        )
        return subprocess.Popen(command, cwd=cwd or self.root, env=environment, **heeding, **pipes)

    def call(self, *command, **options):
        process = self.start(*command, **options)
        out, err = process.communicate(timeout=300)
        return subprocess.CompletedProcess(command, process.returncode, out, err)

    def make(self, *arguments, **options):
        """Run make, which has to succeed; returns what it printed."""
        result = self.call("make", *arguments, **options)
        assert result.returncode == 0, result.stderr
        return result.stdout

    def published(self):
        """Name and bytes of every file in figures/, temporary ones too."""
        return {path.name: path.read_bytes() for path in (self.root / "figures").iterdir()}

    def runs(self):
        """When each notebook was last run for figures/."""
        return {
            path.stem: path.stat().st_mtime
            for path in (self.root / "build" / "executed").glob("*.ipynb")
        }


def new_project(folder, *stems_):
    project = Project(folder)
    for stem in stems_:
        project.plain(stem)
    return project


class TestMake:
    @pytest.fixture(scope="class")
    @classmethod
    def project(cls, tmp_path_factory):
        project = new_project(tmp_path_factory.mktemp("make"), "01_one", "02_two")
        times = project.root / "build" / "times"
        times.mkdir(parents=True)
        project.output = project.make("JOBS=2", TEST_SLEEP="1", TEST_TIMES=str(times))
        project.times = [tuple(map(float, path.read_text().split())) for path in times.iterdir()]
        return project

    def test_publishes_figures_and_claims_and_prints_the_table(self, project):
        assert sorted(project.published()) == [
            "01_bytes.png",
            "01_table.csv",
            "02_bytes.png",
            "02_table.csv",
            "claims.json",
        ]
        entries = claims.load(project.root / "figures" / "claims.json")
        assert [entry["id"] for entry in entries] == ["01-it", "02-it"]
        assert project.output.endswith(claims.table(entries) + "\n")
        assert not list((project.root / "build" / "tmp").iterdir())

    def test_runs_notebooks_side_by_side(self, project):
        (start_1, end_1), (start_2, end_2) = project.times
        assert max(start_1, start_2) < min(end_1, end_2)

    def test_has_nothing_to_do_the_second_time(self, project):
        before, seconds = project.runs(), []
        for _ in range(5):
            start = time.perf_counter()
            output = project.make()
            seconds.append(time.perf_counter() - start)
        assert project.runs() == before and "running" not in output and "01-it" in output
        assert min(seconds) < 0.3

    def test_a_deleted_figure_comes_back_the_same(self, project):
        before, runs = project.published(), project.runs()
        (project.root / "figures" / "02_bytes.png").unlink()
        project.make()
        assert project.published() == before
        assert project.runs()["01_one"] == runs["01_one"]

    def test_a_touched_room_reruns_everything_but_the_pipeline_is_no_input(self, project):
        before = project.runs()
        (project.root / "lib" / "companion" / "verify.py").touch()
        project.make()
        assert project.runs() == before
        (project.root / "lib" / "companion" / "claims.py").touch()
        project.make()
        assert all(project.runs()[stem] > before[stem] for stem in before)

    def test_new_words_rerun_their_notebook(self, project):
        before = project.runs()
        project.edit("notebooks/words/02.md", "it must", "it had to")
        project.make()
        assert "it had to" in project.published()["claims.json"].decode()
        assert project.runs()["01_one"] == before["01_one"]

    def test_edited_parameters_are_no_new_default(self, project):
        """As JupyterLab saves them, unasked."""
        before = project.published()
        project.edit("notebooks/01_one.ipynb", "width: int = 4", "width: int = 5")
        result = project.call("make")
        assert result.returncode == 0 and "01_one: the parameters cell is not" in result.stderr
        assert project.published() == before
        project.edit("notebooks/01_one.ipynb", "width: int = 5", "width: int = 4")
        project.make()

    def test_a_new_notebook_joins_and_a_removed_one_leaves(self, project):
        before, runs = project.published(), project.runs()
        project.plain("03_three")
        project.make()
        assert "03-it" in project.published()["claims.json"].decode()
        (project.root / "notebooks" / "03_three.ipynb").unlink()
        project.make()
        assert project.published()["claims.json"] == before["claims.json"]
        assert {stem: project.runs()[stem] for stem in runs} == runs


class TestRun:
    @pytest.fixture(scope="class")
    @classmethod
    def project(cls, tmp_path_factory):
        project = new_project(tmp_path_factory.mktemp("it's $(run) & é"), "01_one")
        project.make()
        return project

    def test_quick_and_run_leave_figures_alone(self, project):
        before = project.published()
        (project.root / "sub").mkdir()
        (project.root / "sub" / "mine.txt").write_text("a sample")
        assert "01-it" in project.make("quick")
        # typed in a folder below, so that a relative path begins there
        settings = "P=-p width 9 -p scale -1e-1 -p sample mine.txt"
        project.make("-C", "..", "run", "NB=1", settings, cwd=project.root / "sub")
        assert project.published() == before
        figures = project.root / "build" / "run" / "01_one" / "figures"
        assert (figures / "01_bytes.png").read_bytes() == bytes(range(9))
        assert (figures / "01_table.csv").read_text() == "-0.1 mine.txt"
        assert (project.root / "build" / "quick" / "01_one" / "claims" / "01-it.json").exists()

    def test_a_prediction_that_does_not_hold_is_told_by_the_status(self, project):
        """Its table is printed all the same."""
        project.edit("notebooks/01_one.ipynb", "seed / 100", "seed / 10")
        held = project.call("make", "run", "NB=1", "P=-p seed 5")
        failed = project.call("make", "run", "NB=1", "P=-p seed 6")
        project.edit("notebooks/01_one.ipynb", "seed / 10", "seed / 100")
        assert held.returncode == 0 and "FAILS" not in held.stdout
        assert failed.returncode != 0 and "FAILS: one: 1.6, not 1 +- 0.5" in failed.stdout
        assert "1 of 1 predictions do not hold with these parameters" in failed.stderr

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            ("-p breadth 4", "breadth: 4 cannot be set; known: width (int, 1 to 64), scale"),
            ("-p width 6.5", "width: 6.5 is not of type int"),
            ("-p width 100000", "width: 100000 is outside [1, 64]"),
            ("-p scale big", "scale: big is not of type float"),
            ("-p scale -1e9", "scale: -1000000000.0 is outside [-10, 1000.0]"),
            ("-p scale nan", "scale: nan is outside [-10, 1000.0]"),
            ("-p tone loud", "tone: loud is not one of low, high"),
            ("-p seed -1", "seed: -1 is outside [0, 9]"),
            ("-p quick maybe", "quick: maybe is not of type bool"),
            ("-p sample nowhere.txt", "sample: nowhere.txt: there is no such file"),
        ],
    )
    def test_refuses_by_name(self, monkeypatch, capsys, project, arguments, message):
        monkeypatch.setattr(tree, "NOTEBOOKS", project.root / "notebooks")
        assert run.main(["01", *arguments.split()]) == 1
        assert capsys.readouterr().err.startswith(message)

    @pytest.mark.parametrize("words", ["01 --publish", "01 -p width", "", "01 02"])
    def test_refuses_what_is_no_command(self, words):
        with pytest.raises(SystemExit):
            run.main(words.split())

    @pytest.mark.parametrize("text", ["x", "", "{}", "[]", "3"])
    def test_refuses_what_is_no_notebook(self, monkeypatch, capsys, tmp_path, text):
        monkeypatch.setattr(tree, "NOTEBOOKS", tmp_path)
        (tmp_path / "03_odd.ipynb").write_text(text)
        assert run.main(["03"]) == 1
        assert capsys.readouterr().err.startswith("notebook: 03_odd.ipynb is none")

    def test_a_cell_that_names_a_parameter_needs_no_source(self, project):
        import nbformat

        book = nbformat.read(project.root / "notebooks/01_one.ipynb", as_version=4)
        for told, wanted in [
            ("width: 3 is odd", "width: 3 is odd"),
            ("path: 'x.png' is not a file", "sample: 'x.png' is not a file"),
            ("breadth: 3 is odd", ""),
            ("no name", ""),
        ]:
            assert run.of_parameter(SimpleNamespace(evalue=told), book) == wanted

    @pytest.mark.parametrize("place, book", [("a:b", "01_one"), ("ab", "01_one copy")])
    def test_make_refuses_names_that_it_cannot_pass_on(self, project, tmp_path, place, book):
        (tmp_path / place / "notebooks").mkdir(parents=True)
        (tmp_path / place / "notebooks" / f"{book}.ipynb").touch()
        shutil.copy(project.root / "Makefile", tmp_path / place)
        told = project.call("make", "-C", str(tmp_path / place), "help")
        assert told.returncode != 0 and "rename" in told.stderr

    def test_a_notebook_refuses_in_the_same_words(self, project):
        """What it was changed to, in its second cell."""
        project.edit("notebooks/01_one.ipynb", "width: int = 4", "width: int = 100000")
        result = project.call("make", "refresh", "NB=01")
        assert result.returncode != 0 and "width: 100000 is outside [1, 64]" in result.stderr
        project.edit("notebooks/01_one.ipynb", "width: int = 100000", "width: int = 4")

    def test_nothing_of_the_users_own_reaches_a_notebook(self, project, tmp_path):
        """Neither start-up files nor variables; nor does a long temporary folder matter."""
        startup = tmp_path / "home" / ".ipython" / "profile_default" / "startup"
        deep = tmp_path / ("d" * 100)
        for folder in (startup, deep):
            folder.mkdir(parents=True)
        for path in (startup / "00.py", tmp_path / "start.py"):
            path.write_text("width = 7; print('here I am'); raise ValueError")
        own = dict(HOME=str(tmp_path / "home"), PYTHONSTARTUP=str(tmp_path / "start.py"))
        own |= dict(PYTHONOPTIMIZE="2", MPLBACKEND="nonsense", TMPDIR=str(deep))
        before = project.published()
        project.make("-B", **own)
        assert project.published() == before
        assert "here I am" not in (project.root / "build/executed/01_one.ipynb").read_text()

    def test_make_passes_a_refusal_on(self, project):
        breadth, other = ("NB=01", "P=-p breadth 4"), ("NB=09",)
        for arguments, word in [(breadth, "breadth"), (other, "01_one"), ((), "NB=01")]:
            result = project.call("make", "run", *arguments, PYTHONOPTIMIZE="2")
            assert (
                result.returncode != 0
                and word in result.stderr
                and "Traceback" not in result.stderr
            )

    def test_figures_other_than_those_listed_are_not_published(self, project):
        before = project.published()
        project.edit("notebooks/01_one.ipynb", "01_bytes.png", "01_other.png")
        result = project.call("make")
        assert result.returncode != 0
        assert "01_other.png" in result.stderr and "01_bytes.png" in result.stderr
        assert project.published() == before

    def test_a_command_acts_on_the_tree_it_is_typed_in(self, project):
        """Here with the library of another."""
        where = [sys.executable, "-c", "from companion import tree; print(tree.ROOT)"]
        called = project.call(*where, cwd=project.root / "sub", PYTHONPATH=str(tree.LIB))
        assert called.stdout.strip() == str(project.root)


class TestSurvives:
    @pytest.fixture(scope="class")
    @classmethod
    def original(cls, tmp_path_factory):
        project = new_project(tmp_path_factory.mktemp("survives"), "01_one")
        project.make()
        project.right = project.published()
        return project

    @pytest.fixture
    def project(self, original):
        """Published once, and then its notebook touched: to be run again."""
        (original.root / "notebooks" / "01_one.ipynb").touch()
        return original

    def test_a_failing_cell(self, project):
        result = project.call("make", TEST_FAIL="1")
        assert result.returncode != 0
        assert "AssertionError: told to fail" in result.stderr and "Traceback" not in result.stderr
        assert project.published() == project.right
        assert (project.root / "build" / "failed" / "01_one.ipynb").exists()
        project.make()
        assert project.published() == project.right

    @pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL], ids=["ctrl-c", "kill"])
    def test_a_signal_in_the_middle(self, project, number):
        times = project.root / "build" / "tmp"
        process = project.start("make", TEST_SLEEP="60")
        wait_for(lambda: any(times.glob("*/started")))
        time.sleep(0.5)
        os.killpg(process.pid, number)
        _, err = process.communicate(timeout=30)
        assert process.returncode != 0 and "Traceback" not in err
        assert project.published() == project.right
        project.make()
        assert project.published() == project.right
        assert not list(times.iterdir())

    def test_a_full_disk_and_a_reader_who_left(self, project):
        """The first as files that may not grow."""
        result = project.call("bash", "-c", "ulimit -f 2; make")
        assert result.returncode != 0 and result.stderr.startswith("files: ")
        assert "Traceback" not in result.stderr and project.published() == project.right
        result = project.call("bash", "-c", "make | true")
        assert "Traceback" not in result.stderr and project.published() == project.right

    @pytest.mark.parametrize("moves", range(4))
    def test_a_kill_while_publishing(self, project, moves):
        """Before each of its renames: figures are old or new, whole; the next make mends them."""
        publishing = f"""
import os, signal
from companion import claims, publish
left, real = {moves}, publish.move
def move(source, target):
    global left
    if not left:
        os.kill(os.getpid(), signal.SIGKILL)
    left -= 1
    real(source, target)
def execute(stem, book, folder):
    for name in {PUBLISHED}:
        claims.write_whole(folder / "figures" / name, b"new")
    claims.write_whole(folder / f"{{stem}}.ipynb", b"executed")
publish.move, publish.execute = move, execute
publish.notebook("01_one")
"""
        result = project.call(
            sys.executable, "-c", publishing, PYTHONPATH=str(project.root / "lib")
        )
        assert result.returncode == -signal.SIGKILL
        now = project.published()
        assert set(now) == set(project.right)
        assert all(now[name] in (project.right[name], b"new") for name in now)
        if moves == 3:
            project.make()
            assert project.published() == project.right


class TestStored:
    @pytest.fixture(scope="class")
    @classmethod
    def project(cls, tmp_path_factory):
        project = Project(tmp_path_factory.mktemp("stored"))
        for stem in ("01_output", "02_claim"):
            write_notebook(project.root, stem, PICTURED.format(stem=stem, number=stem[:2]))
        project.make("refresh")
        return project

    def stored(self, project):
        """All that a refresh may write: bytes by path."""
        folders = [project.root, project.root / "notebooks", project.root / "figures"]
        paths = [path for folder in folders for path in folder.iterdir() if path.is_file()]
        return {path: path.read_bytes() for path in paths}

    def test_refresh_fills_in_outputs_figures_and_tables(self, project):
        book = json.loads((project.root / "notebooks" / "01_output.ipynb").read_text())
        figures = [f"01_line.{kind}" for kind in ("csv", "pdf", "png")]
        assert book["metadata"]["companion"] == dict(figures=figures, parameters=PARAMETERS)
        assert [cell["execution_count"] for cell in book["cells"]] == [1, 2]
        assert "papermill" not in json.dumps(book)
        readme = (project.root / "README.md").read_text()
        assert readme.startswith("before\n<!-- ") and readme.endswith(" -->\nafter\n")
        assert "2 of 2" in readme and readme.count(".ipynb) |  | holds |") == 2
        gallery = (project.root / "figures" / "README.md").read_text()
        assert "![A line that rises to 4.](02_line.png)\n\n**02_line.** To 4." in gallery
        assert gallery.count("\n\nIt does.\n\n") == 2
        assert "* it does: **holds**. it must (1 of 1 predictions hold.)" in gallery

    def test_a_refresh_stores_what_make_all_makes(self, project):
        before = self.stored(project)
        assert "running" not in project.call("make").stderr
        project.make("-B")
        assert self.stored(project) == before

    def test_a_second_refresh_runs_and_changes_nothing(self, project):
        project.make("refresh")  # the figures were made again by the test above
        before = self.stored(project)
        assert "running" not in project.call("make", "refresh").stderr
        assert self.stored(project) == before

    def test_new_words_refresh_their_notebook_only(self, project):
        """What an earlier run left of another notebook is not taken for its claims."""
        project.edit("notebooks/words/02.md", "it must", "it had to")
        project.edit("build/claims/01_output.json", "it must", "it never did")
        told = project.call("make", "refresh", "NB=02").stderr
        assert "running 02_claim" in told and "running 01_output" not in told
        gallery = (project.root / "figures" / "README.md").read_text()
        assert "it had to" in gallery and "it must" in gallery and "it never" not in gallery
        assert "running 01_output" in project.call("make", "refresh").stderr

    def test_verify_finds_everything_identical(self, project):
        lines = project.make("verify").splitlines()
        # of each notebook two cells and its list, three figures, a claim; README, the gallery
        assert len(lines) == 2 * (2 + 3 + 1) + 2 + 2
        assert lines[-2] == "14 identical, 0 within tolerance, 0 DIFFERENT"
        assert lines[-1] == "this machine reproduces the stored results to the byte"

    def test_one_alteration_anywhere_fails(self, project):
        """In an output, an alt text, claims.json, a table, a picture, README: nothing else is."""
        project.edit("notebooks/01_output.ipynb", "width 4", "width 5")
        project.edit("notebooks/02_claim.ipynb", '"alt": "A line', '"alt": "No line')
        project.edit("figures/01_line.csv", "4", "5")
        project.edit("figures/claims.json", "1.23025", "1.24025")
        project.edit("README.md", "|\n<!-- claims:end", "| 1\n<!-- claims:end")
        darken(project.root / "figures" / "02_line.png")
        pytest = [sys.executable, "-m", "pytest", "-q", "-n", "0", "-rf"]
        result = project.call(*pytest, PYTHONPATH=str(project.root / "lib"))
        lines = [line for line in result.stdout.splitlines() if line.startswith("FAILED")]
        assert {line.split(" ", 1)[1].split(" - ")[0] for line in lines} == {
            "notebooks/01_output.ipynb::Cell 1",
            "notebooks/01_output.ipynb::published",
            "notebooks/02_claim.ipynb::published",
            "tests/test_notebooks.py::test_pictures_have_an_alt_text[02_claim]",
            "tests/test_notebooks.py::test_pictures_shown_are_those_of_figures[02_claim]",
            "tests/test_notebooks.py::test_generated_texts_are_current",
        }, result.stdout
        verified = project.call("make", "verify")
        lines = verified.stdout.splitlines()
        assert verified.returncode != 0
        assert lines[-1] == "this machine does NOT reproduce the stored results"
        assert [line.split(maxsplit=1)[1] for line in lines if line.startswith("DIFFERENT")] == [
            "notebook 01_output cell [2]",
            "notebook 02_claim cell [2]",
            "README.md",
            "figures/01_line.csv",
            "figures/02_line.png",
            "claim 02-it",
        ]


def darken(path):
    from PIL import Image

    Image.open(path).point(lambda value: value // 2).save(path)


class TestReadme:
    ENTRIES = [
        claims.Claim(
            id="01-a",
            claim="c",
            source="ours",
            notebook="01_x",
            verdict="holds",
            why="w",
            figures=[],
            checks=[],
        )
    ]

    def test_only_what_is_between_the_markers_changes(self):
        text = README.replace("<!-- claims:end", "STALE\n<!-- claims:end")
        new = refresh.filled(text, self.ENTRIES, refresh.README_PARTS)
        for name, render in refresh.README_PARTS.items():
            assert f"<!-- {name}:begin -->\n{render(self.ENTRIES)}\n<!-- {name}:end -->\n" in new
        assert new.startswith("before\n") and new.endswith("after\n") and "STALE" not in new
        assert refresh.filled(new, self.ENTRIES, refresh.README_PARTS) == new

    @pytest.mark.parametrize(
        "text",
        [
            "none",
            MARKERS.replace("<!-- claims:end -->\n", ""),
            MARKERS.replace("begin", "swap").replace("end", "begin").replace("swap", "end"),
            MARKERS * 2,
        ],
    )
    def test_wrong_markers_are_refused(self, text):
        with pytest.raises(ValueError, match="markers"):
            refresh.filled(text, self.ENTRIES, refresh.README_PARTS)


def test_companion_knows_nothing_of_the_paper():
    for path in (tree.LIB / "companion").glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [alias.name for alias in getattr(node, "names", [])]
            names += [getattr(node, "module", None) or ""]
            assert not any(name.split(".")[0] == "entanglement" for name in names), path.name


@pytest.mark.parametrize(
    "address",
    ["https://github.com/a/b.c.git", "git@github.com:a/b.c.git", "https://github.com/a/b.c"],
)
def test_binder_opens_the_clones_own_origin(address):
    link = f"https://mybinder.org/v2/gh/a/b.c/HEAD?labpath=notebooks/{tree.stems()[0]}.ipynb"
    assert binder.link(address) == link


@pytest.mark.parametrize("address", ["", "/some/folder", "https://example.org/a/b"])
def test_binder_says_that_there_is_no_link(monkeypatch, capsys, address):
    monkeypatch.setattr(binder, "origin", lambda: address)
    binder.main()
    assert capsys.readouterr().out.startswith("no link")


@pytest.mark.parametrize("user", [0, 1000])
def test_lab_opens_the_first_notebook_and_allows_root_only_to_root(monkeypatch, user):
    monkeypatch.setattr(lab.os, "geteuid", lambda: user)
    words = lab.command("--no-browser")
    assert f"--LabApp.default_url=/lab/tree/notebooks/{tree.stems()[0]}.ipynb" in words
    assert ("--allow-root" in words) == (user == 0) and words[-1] == "--no-browser"


def wait_for(condition, seconds=30):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.05)
