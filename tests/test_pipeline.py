"""The pipeline on a miniature project: what is rerun, what is refused, what survives a failure, a Ctrl-C or a kill."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from companion import claims, run as pipeline, refresh

PARAMETERS = 'width: int = 4\nscale: float = 1.0\nseed: int = 0\nquick: bool = False\nsample: "path" = ""'
PLAIN = """import os, time
from pathlib import Path
from companion import claims
out = claims.output_dir()
start = time.time()
claims.write_whole(out / "started", b"")
time.sleep(float(os.environ.get("TEST_SLEEP", 0)))
if os.environ.get("TEST_TIMES"):
    Path(os.environ["TEST_TIMES"], "{stem}").write_text(f"{{start}} {{time.time()}}")
claims.write_whole(out / "figures" / "{number}_bytes.png", bytes(range(width)))
claims.write_whole(out / "figures" / "{number}_table.csv", f"{{scale}} {{Path(sample).name}}".encode())
assert "TEST_FAIL" not in os.environ, "told to fail"
print("width", width)
claims.record("{number}-it", "it does", "holds", "why", [claims.check("one", 1 + seed / 100, 1, tolerance=0.5)], notebook="{stem}")"""
PICTURED = """import io
from IPython.display import display
from PIL import Image
from PIL.PngImagePlugin import PngInfo
from companion import claims
info, buffer, folder = PngInfo(), io.BytesIO(), claims.output_dir() / "figures"
info.add_text("Title", "{number}_square")
Image.new("L", (width, width), 100).save(buffer, "png", pnginfo=info)
for name, content in [("square.png", buffer.getvalue()), ("square.pdf", b"pdf"), ("square.csv", b"side,4")]:
    claims.write_whole(folder / f"{number}_{{name}}", content)
display({{"image/png": buffer.getvalue(), "text/plain": "square"}}, raw=True, metadata={{"image/png": {{"alt": "square"}}}})
print("width", width)
claims.record("{number}-it", "it does", "holds", "why", [claims.check("one", 1.23{number}5, 1, tolerance=0.5)], notebook="{stem}")"""
MARKERS = "".join(f"<!-- {name}:begin -->\n<!-- {name}:end -->\n" for name in refresh.README_PARTS)
README = f"before\n{MARKERS}after\n"
PUBLISHED = ["01_bytes.png", "01_table.csv"]


def write_notebook(root, stem, *sources, figures=()):
    def cell(number, text, tags):
        return dict(
            cell_type="code", id=f"c{number}", metadata=dict(tags=tags) if tags else {}, source=text, outputs=[], execution_count=None
        )

    kernel = dict(name="python3", display_name="Python 3", language="python")
    book = dict(
        cells=[cell(0, PARAMETERS, ["parameters"])] + [cell(i, text, None) for i, text in enumerate(sources, start=1)],
        metadata=dict(kernelspec=kernel, companion=dict(figures=list(figures))),
        nbformat=4,
        nbformat_minor=5,
    )
    (root / "notebooks" / f"{stem}.ipynb").write_text(json.dumps(book))


class Project:
    """A copy of the Makefile and the library, with notebooks of its own."""

    def __init__(self, root):
        self.root = root
        for folder in ("notebooks", "figures", "tests"):
            (root / folder).mkdir()
        shutil.copytree(pipeline.LIB, root / "lib", ignore=shutil.ignore_patterns("__pycache__"))
        for name in ("Makefile", ".pytest.ini", "tests/conftest.py", "tests/test_notebooks.py"):
            shutil.copy(pipeline.ROOT / name, root / name)
        (root / "README.md").write_text(README)
        self.environment = {key: value for key, value in os.environ.items() if not re.match("MAKE|MFLAGS|PYTEST|ENTANGLEMENT", key)}
        # the Python that runs this test has everything, so it is the active one there
        self.environment["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"

    def plain(self, stem):
        number = stem.split("_")[0]
        write_notebook(self.root, stem, PLAIN.format(stem=stem, number=number), figures=[f"{number}_bytes.png", f"{number}_table.csv"])

    def start(self, *command, cwd=None, **variables):
        environment = self.environment | {"PWD": str(cwd or self.root)} | variables
        pipes = dict(stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        # as from a terminal: a test run in the background ignores Ctrl-C, and so would its children
        heeding = dict(start_new_session=True, preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL))
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
        return {path.stem: path.stat().st_mtime for path in (self.root / "build" / "executed").glob("*.ipynb")}


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
        assert sorted(project.published()) == ["01_bytes.png", "01_table.csv", "02_bytes.png", "02_table.csv", "claims.json"]
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
        (project.root / "lib" / "entanglement" / "pipeline.py").touch()
        project.make()
        assert project.runs() == before
        (project.root / "lib" / "entanglement" / "claims.py").touch()
        project.make()
        assert all(project.runs()[stem] > before[stem] for stem in before)

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
        project = new_project(tmp_path_factory.mktemp("run"), "01_one")
        project.make()
        return project

    def test_quick_and_run_leave_figures_alone(self, project):
        before = project.published()
        (project.root / "sub").mkdir()
        (project.root / "sub" / "mine.txt").write_text("a sample")
        assert "01-it" in project.make("quick")
        # typed in a folder below, so that a relative path begins there
        project.make("-C", "..", "run", "NB=1", "P=-p width 9 -p scale 2 -p sample mine.txt", cwd=project.root / "sub")
        assert project.published() == before
        figures = project.root / "build" / "run" / "01_one" / "figures"
        assert (figures / "01_bytes.png").read_bytes() == bytes(range(9))
        assert (figures / "01_table.csv").read_text() == "2.0 mine.txt"
        assert (project.root / "build" / "quick" / "01_one" / "claims" / "01-it.json").exists()

    @pytest.mark.parametrize(
        ("arguments", "words"),
        [
            ("-p breadth 4", ["'breadth'", "'4'", "width (int)", "sample (path)"]),
            ("-p width 6.5", ["'width'", "'6.5'", "int"]),
            ("-p scale big", ["'scale'", "'big'", "float"]),
            ("-p seed -1", ["'seed'", "'-1'", "less than 0"]),
            ("-p quick maybe", ["'quick'", "'maybe'", "bool"]),
            ("-p sample nowhere.txt", ["'sample'", "'nowhere.txt'", "no such file"]),
            ("--publish -p width 5", ["--publish"]),
        ],
    )
    def test_refuses_by_name(self, monkeypatch, capsys, project, arguments, words):
        monkeypatch.setattr(pipeline, "NOTEBOOKS", project.root / "notebooks")
        assert pipeline.main(["run", "01", *arguments.split()]) == 1
        message = capsys.readouterr().err
        assert [word for word in words if word not in message] == []

    def test_make_passes_a_refusal_on(self, project):
        for arguments, word in [(("NB=01", "P=-p breadth 4"), "breadth"), (("NB=09",), "01_one"), ((), "NB=01")]:
            result = project.call("make", "run", *arguments)
            assert result.returncode != 0 and word in result.stderr and "Traceback" not in result.stderr

    def test_figures_other_than_those_listed_are_not_published(self, project):
        before = project.published()
        write_notebook(project.root, "01_one", PLAIN.format(stem="01_one", number="01"), figures=["01_other.png", "01_table.csv"])
        result = project.call("make")
        assert result.returncode != 0
        assert "01_other.png" in result.stderr and "01_bytes.png" in result.stderr
        assert project.published() == before


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

    @pytest.mark.parametrize("moves", range(4))
    def test_a_kill_while_publishing(self, project, moves):
        """Before each of its renames: figures are the old or the new ones, whole; the next make ends with the right ones."""
        publish = f"""
import os, signal
from companion import claims, run as pipeline, refresh
left, real = {moves}, pipeline.move
def move(source, target):
    global left
    if not left:
        os.kill(os.getpid(), signal.SIGKILL)
    left -= 1
    real(source, target)
def execute(stem, values, folder):
    for name in {PUBLISHED}:
        claims.write_whole(folder / "figures" / name, b"new")
    claims.write_whole(folder / f"{{stem}}.ipynb", b"executed")
pipeline.move, pipeline.execute = move, execute
pipeline.publish("01_one")
"""
        result = project.call(sys.executable, "-c", publish, PYTHONPATH=str(project.root / "lib"))
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

    def test_refresh_fills_in_outputs_figures_and_readme(self, project):
        book = json.loads((project.root / "notebooks" / "01_output.ipynb").read_text())
        assert book["metadata"]["companion"]["figures"] == ["01_square.csv", "01_square.pdf", "01_square.png"]
        assert [cell["execution_count"] for cell in book["cells"]] == [1, 2]
        entries = claims.load(project.root / "figures" / "claims.json")
        assert (project.root / "README.md").read_text() == refresh.filled(README, entries, refresh.README_PARTS) != README

    def test_a_second_refresh_changes_nothing(self, project):
        def everything():
            places = [project.root / "README.md", *(project.root / "notebooks").iterdir(), *(project.root / "figures").iterdir()]
            return {path: (path.read_bytes(), path.stat().st_mtime) for path in places}

        before = everything()
        project.make("refresh")
        assert everything() == before

    def test_verify_finds_everything_identical(self, project):
        lines = project.make("verify").splitlines()
        assert len(lines) == 4 + 6 + 2 + 1 and lines[-1] == "12 identical, 0 within tolerance, 0 DIFFERENT"

    def test_one_altered_number_anywhere_fails(self, project):
        """In a stored output, claims.json, a table, a picture, README: each is caught, and nothing else is."""
        alterations = [
            ("notebooks/01_output.ipynb", b"width 4", b"width 5"),
            ("figures/01_square.csv", b"4", b"5"),
            ("figures/claims.json", b"1.23025", b"1.23026"),
            ("README.md", b"|\n<!-- claims:end", b"| 1\n<!-- claims:end"),
        ]
        for name, old, new in alterations:
            content = (project.root / name).read_bytes()
            assert old in content
            (project.root / name).write_bytes(content.replace(old, new, 1))
        darken(project.root / "figures" / "02_square.png")
        result = project.call(sys.executable, "-m", "pytest", "-q", "-n", "0", "-rf", PYTHONPATH=str(project.root / "lib"))
        failed = {line.split(" ", 1)[1].split(" - ")[0] for line in result.stdout.splitlines() if line.startswith("FAILED")}
        assert failed == {
            "notebooks/01_output.ipynb::Cell 1",
            "notebooks/01_output.ipynb::published",
            "notebooks/02_claim.ipynb::published",
            "tests/test_notebooks.py::test_pictures_shown_are_those_of_figures[02_claim]",
            "tests/test_notebooks.py::test_tables_are_current",
        }, result.stdout
        verified = project.call("make", "verify")
        different = [line.split(maxsplit=1)[1] for line in verified.stdout.splitlines() if line.startswith("DIFFERENT")]
        assert verified.returncode != 0
        assert different == ["output   01_output cell [2]", "figure   01_square.csv", "figure   02_square.png", "claim    02-it"]


def darken(path):
    from PIL import Image

    Image.open(path).point(lambda value: value // 2).save(path)


class TestReadme:
    ENTRIES = [claims.Claim(id="01-a", claim="c", notebook="01_x", verdict="holds", why="w", figures=[], checks=[])]

    def test_only_what_is_between_the_markers_changes(self):
        text = README.replace("<!-- claims:end", "STALE\n<!-- claims:end")
        new = refresh.filled(text, self.ENTRIES, refresh.README_PARTS)
        assert new.startswith(f"before\n<!-- agreement:begin -->\n{claims.agreement(self.ENTRIES)}\n<!-- agreement:end -->\n")
        assert f"\n<!-- claims:begin -->\n{claims.markdown(self.ENTRIES)}\n<!-- claims:end -->\n" in new
        assert new.endswith("<!-- binder:end -->\nafter\n") and "STALE" not in new
        assert refresh.filled(new, self.ENTRIES, refresh.README_PARTS) == new

    @pytest.mark.parametrize(
        "text",
        [
            "none",
            MARKERS.replace("<!-- claims:end -->\n", ""),
            MARKERS.replace("begin", "swap").replace("end", "begin").replace("swap", "end"),
            MARKERS * 2,
            MARKERS + "<!-- other:begin -->\n<!-- other:end -->\n",
        ],
    )
    def test_wrong_markers_are_refused(self, text):
        with pytest.raises(ValueError, match="markers"):
            refresh.filled(text, self.ENTRIES, refresh.README_PARTS)


def wait_for(condition, seconds=30):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.05)
