"""`make test-browser`: a reader's session in a real browser. Not collected by `make test`; needs
Chromium and the extra `playwright`.

JupyterLab on loopback with a token, on a copy of the notebooks; headless Chromium opens 00 and
another notebook, runs all cells, saves, moves a slider and sees the picture change; then the pages
of `make html` with the network off.
"""

import base64
import json
import os
import secrets
import shutil
import socket
import subprocess
import sys
import time
import urllib.request

import pytest
from playwright.sync_api import sync_playwright

from companion import pins, tree

CHROMIUM = next(
    (path for path in map(shutil.which, ("chromium", "chromium-browser", "google-chrome")) if path),
    None,
)
SCREENSHOTS = tree.BUILD / "browser"
MINUTE = 60_000  # milliseconds
SETTINGS = {  # every cell in the page, not only those in view; no file written or question asked behind the reader's back
    "notebook-extension/tracker": {"windowingMode": "none"},
    "docmanager-extension/plugin": {"autosave": False},
    "apputils-extension/notification": {"fetchNews": "false", "checkForUpdates": False},
}


@pytest.fixture(scope="session")
def browser():
    assert CHROMIUM, "Chromium is not installed (Debian and Ubuntu: apt-get install chromium)"
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as play:
        quiet = [
            "--no-sandbox",
            "--disable-gpu",
            "--disable-quic",
            "--disable-background-networking",
            "--disable-component-update",
        ]
        chromium = play.chromium.launch(executable_path=CHROMIUM, args=quiet)
        yield chromium
        chromium.close()


@pytest.fixture
def lab(tmp_path):
    """(address, folder, token) of a JupyterLab of its own: settings, kernels and notebooks in a
    temporary folder, gone afterwards.
    """
    folder = tmp_path
    shutil.copytree(tree.NOTEBOOKS, folder / "notebooks")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    token = secrets.token_hex(16)
    private = {
        f"JUPYTER_{name}_DIR": str(folder / name.lower()) for name in ("CONFIG", "DATA", "RUNTIME")
    }
    private |= {
        f"JUPYTERLAB_{name}_DIR": str(folder / name.lower()) for name in ("SETTINGS", "WORKSPACES")
    }
    for plugin, settings in SETTINGS.items():
        path = folder / "settings" / "@jupyterlab" / f"{plugin}.jupyterlab-settings"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(settings), encoding="utf-8")
    environment = (
        {key: value for key, value in os.environ.items() if key != "ENTANGLEMENT_OUT"}
        | pins.environment()
        | private
    )
    options = [
        "--no-browser",
        "--allow-root",
        "--ServerApp.ip=127.0.0.1",
        f"--ServerApp.port={port}",
        "--ServerApp.port_retries=0",
    ]
    options += [
        f"--IdentityProvider.token={token}",
        f"--ServerApp.root_dir={folder / 'notebooks'}",
        "--LabApp.expose_app_in_browser=True",
    ]
    with open(SCREENSHOTS.parent / "lab.log", "wb") as log:
        server = subprocess.Popen(
            [sys.executable, "-m", "jupyterlab", *options],
            env=environment,
            stdout=log,
            stderr=log,
            cwd=folder,
        )
    try:
        address = f"http://127.0.0.1:{port}"
        wait_for(lambda: answers(f"{address}/api?token={token}"))
        yield address, folder / "notebooks", token
    finally:
        server.terminate()  # which ends its kernels too
        server.wait(timeout=60)


def answers(address):
    try:
        return urllib.request.urlopen(address, timeout=5).status == 200
    except OSError:
        return False


def wait_for(condition, seconds=60):
    end = time.monotonic() + seconds
    while not (result := condition()):
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.2)
    return result


@pytest.fixture
def page(browser):
    page = browser.new_page(viewport={"width": 1400, "height": 1000})
    page.set_default_timeout(2 * MINUTE)
    yield page
    page.close()


def run_all(page, lab, stem):
    """Open a notebook in JupyterLab, run all cells and save; returns the saved notebook."""
    address, folder, token = lab
    saved = folder / f"{stem}.ipynb"
    before = saved.stat().st_mtime_ns
    page.goto(f"{address}/lab/tree/{stem}.ipynb?token={token}")
    page.wait_for_function(
        f"window.jupyterapp?.shell.currentWidget?.context?.path === '{stem}.ipynb'"
    )
    page.wait_for_function(
        "jupyterapp.shell.currentWidget.sessionContext.session?.kernel?.info.then(() => true)"
    )  # it has answered
    command(page, "notebook:run-all-cells")
    command(page, "docmanager:save")
    wait_for(lambda: saved.stat().st_mtime_ns > before)
    return json.loads(saved.read_text(encoding="utf-8"))


def command(page, name):
    """Run a command of JupyterLab and wait for its end, no longer than the page's time limit."""
    page.evaluate(
        "name => { window.ended = jupyterapp.commands.execute(name).then(() => 'well', String); }",
        name,
    )
    assert page.wait_for_function("window.ended").json_value() == "well"


def assert_ran(book, stem):
    """Every code cell of a saved notebook ran, in order and without error, and shows as many
    pictures as the stored one.
    """
    cells = [cell for cell in book["cells"] if cell["cell_type"] == "code"]
    assert [cell["execution_count"] for cell in cells] == list(range(1, len(cells) + 1))
    assert "error" not in [output["output_type"] for cell in cells for output in cell["outputs"]]
    assert (
        pictures(book)
        == pictures(json.loads((tree.NOTEBOOKS / f"{stem}.ipynb").read_text(encoding="utf-8")))
        > 0
    )


def pictures(book):
    return sum(
        "image/png" in output.get("data", {})
        for cell in book["cells"]
        for output in cell.get("outputs", [])
    )


def test_the_overview_runs_and_its_explorer_answers(page, lab):
    stem = tree.stems()[0]
    assert_ran(run_all(page, lab, stem), stem)
    image = page.locator("img.explorer")
    image.wait_for()
    image.scroll_into_view_if_needed()
    page.wait_for_timeout(2000)
    page.screenshot(path=SCREENSHOTS / "explorer_before.png")
    before = shown(image)
    handle = page.locator(".widget-slider [role=slider]").nth(2)
    handle.focus()
    for _ in range(10):
        page.keyboard.press("ArrowRight")
    wait_for(lambda: shown(image) != before)
    page.wait_for_timeout(2000)
    page.screenshot(path=SCREENSHOTS / "explorer_after.png")


def shown(image):
    """The bytes that an image element shows."""
    read = "async e => { const b = await (await fetch(e.src)).arrayBuffer(); return btoa(String.fromCharCode(...new Uint8Array(b))); }"
    return base64.b64decode(image.evaluate(read))


def test_another_notebook_runs(page, lab):
    assert_ran(run_all(page, lab, "03_spacetime"), "03_spacetime")
    page.screenshot(path=SCREENSHOTS / "notebook.png")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_pages_are_whole_without_a_network(browser, scheme):
    context = browser.new_context(
        offline=True, color_scheme=scheme, viewport={"width": 1000, "height": 1200}
    )
    page, asked = context.new_page(), []
    page.on("request", lambda request: asked.append(request.url))
    for path in sorted((tree.BUILD / "html").glob("*.html")):
        page.goto(path.as_uri())
        assert path.stat().st_size < 8 * 2**20
        assert page.evaluate("document.documentElement.dataset.theme") == scheme
        assert page.evaluate(
            "[...document.images].every(i => i.complete && i.naturalWidth > 0 && i.alt)"
        )
        assert not page.evaluate(
            "[...document.querySelectorAll('p, li, td, th, h1, h2, h3')].some(e => /\\$[^$ ][^$]*\\$/.test(e.innerText))"
        ), "unrendered"
        assert page.evaluate(
            "[...document.querySelectorAll('math')].every(m => m.getBoundingClientRect().width > 0)"
        )
    assert all(url.startswith(("file:", "data:")) for url in asked)
    page.screenshot(path=SCREENSHOTS / f"page_{scheme}.png")
    context.close()
