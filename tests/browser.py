"""`make test-browser`: a reader's session in a real browser. Not collected by `make test`; needs
Chromium and the extra `playwright`.

JupyterLab on loopback with a token, on a copy of the notebooks; headless Chromium opens 00 and
another notebook, runs all cells, saves, and plays with the explorer; then the pages of `make html`
with the network off, and the explorer's numbers against theory.
"""

import base64
import json
import os
import re
import secrets
import shutil
import socket
import subprocess
import sys
import time
import urllib.request

import numpy as np
import pytest
from playwright.sync_api import sync_playwright

from companion import pins, tree
from entanglement import Layer, explore, theory

CHROMIUM = next(
    (path for path in map(shutil.which, ("chromium", "chromium-browser", "google-chrome")) if path),
    None,
)
SCREENSHOTS = tree.BUILD / "browser"
MINUTE = 60_000  # milliseconds
# every cell in the page, not only those in view; no file written or question asked unseen
SETTINGS = {
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
    run_all(page, lab, stem)
    explorer = page.locator(".ce")
    explorer.wait_for()
    explorer.scroll_into_view_if_needed()
    said = explorer.locator(".say")
    before = said.inner_text()
    explorer.locator("button.play").click()
    wait_for(lambda: "They have split" in said.inner_text())
    assert said.inner_text() != before
    page.screenshot(path=SCREENSHOTS / "explorer.png")


# ---- the explorer: its engine against theory, its scenes as a visitor uses them

ENGINE = "data:text/javascript;base64," + base64.b64encode(explore.SCRIPT.read_bytes()).decode()


@pytest.fixture(scope="module")
def engine(browser):
    """Runs a function of (engine, table) in the browser; returns what it returns."""
    page = browser.new_page()
    yield lambda body: page.evaluate(
        f"async ([address, table]) => ({body})(await import(address), table)",
        [ENGINE, explore.table()],
    )
    page.close()


def assert_share(hits, trials, predicted, extra=0.0):
    error = np.sqrt(predicted * (1 - predicted) / trials)
    assert hits / trials == pytest.approx(predicted, abs=4 * error + extra)


@pytest.mark.parametrize("depth", [4, 6, 8])
def test_the_share_at_the_ends_is_that_of_theory(engine, depth):
    trials, layer = 20_000, Layer(256, 16384)
    hits = engine(f"""(e, t) => {{
        const random = e.generator(11), layer = t.layers.find(one => one.ratio === 64);
        let hits = 0;
        for (let i = 0; i < {trials}; i++) {{
            const w = e.walk(layer, e.unseen(256, random), {depth}, random);
            hits += Math.abs(w) > e.velocity(1.8);
        }}
        return hits;
    }}""")
    predicted = 2 * theory.loss_cdf(0.01, theory.velocity_scale(layer, depth, 256))
    assert_share(hits, trials, predicted, extra=1 / 256)  # normal to that order


@pytest.mark.parametrize("row, degrees", [(0, 30), (0, 60), (0, 90), (1, 80), (1, 100), (2, 89)])
def test_the_end_is_as_likely_as_theory_says(engine, row, degrees):
    trials, layer = 4000, explore.ROWS[row][1]
    hits = engine(f"""(e, t) => {{
        const random = e.generator(12), {{ layer, depth }} = t.ends[{row}];
        let hits = 0;
        for (let i = 0; i < {trials}; i++)
            hits += e.walk(layer, e.velocity({degrees}), depth, random) > 0;
        return hits;
    }}""")
    predicted = theory.correlated_probability(layer, np.radians(degrees))
    assert_share(hits, trials, float(predicted), extra=1e-3 if row else 0)


@pytest.mark.parametrize("ratio, depth", [(1.4, 10), (1.4, 40), (64, 5)])
def test_strangers_misread_as_many_pixels_as_theory_says(engine, ratio, depth):
    networks = 200
    wrong = engine(f"""(e, t) => Array.from({{ length: {networks} }}, (_, seed) => {{
        const random = e.generator(1000 + seed), layer = t.pictures.find(p => p.ratio === {ratio});
        const noise = Float64Array.from({{ length: 1024 }}, random.normal);
        return e.reconciliation(layer, [noise], {depth}, random).wrong({depth});
    }})""")
    strangers, control = np.array(wrong).T
    folded = np.minimum(strangers, 1 - strangers)
    layer = Layer(1024, round(1024 * ratio))
    predicted = float(theory.folded_error(layer, depth, spread=1023**-0.5)[0])
    error = np.std(folded, ddof=1) / np.sqrt(networks)
    assert folded.mean() == pytest.approx(predicted, abs=4 * error + 1e-3 * predicted)
    assert control.mean() == pytest.approx(0.5, abs=4 * 0.5 / np.sqrt(networks * 1024))


@pytest.mark.parametrize("ratio", [1, 1.4, 64, 10**6])
def test_a_layer_gains_what_theory_says(engine, ratio):
    trials, depth = 4000, 10
    gains = engine(f"""(e, t) => {{
        const random = e.generator(13), layer = t.layers.find(one => one.ratio === {ratio});
        return Array.from({{ length: {trials} }},
            () => Math.log(e.walk(layer, 1e6, {depth}, random) / 1e6) / {depth});
    }}""")
    error = np.std(gains, ddof=1) / np.sqrt(trials)
    predicted = theory.rapidity_gain(Layer(256, round(256 * ratio)))
    assert np.mean(gains) == pytest.approx(predicted, abs=4 * error)


def test_a_right_angle_is_exact(engine):
    assert engine("(e, t) => [e.velocity(90), e.angle(0)]") == [0, 90]


@pytest.fixture
def front(browser):
    """Opens the front page, offline, at a width and in a theme."""
    contexts = []

    def visit(width=1280, **settings):
        context = browser.new_context(
            offline=True, viewport={"width": width, "height": 900}, **settings
        )
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(MINUTE)
        page.goto((tree.BUILD / "html" / "index.html").as_uri())
        page.wait_for_selector(".ce canvas")
        return page

    yield visit
    for context in contexts:
        context.close()


SAID = {  # what each scene says once it has been played
    "Drop a ball": "They have split",
    "Which end?": "of 400 networks",
    "Read my secret": "there is no secret",
    "Turn the pool": "half had arrived after",
}


@pytest.mark.parametrize("width", [1280, 390])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_scene_plays_and_says_what_one_sees(front, width, scheme):
    page = front(width, color_scheme=scheme)
    for title, said in SAID.items():
        page.get_by_role("tab", name=title).click()
        before = page.locator(".say").inner_text()
        page.get_by_role("button", name="Play", exact=True).click()
        page.get_by_role("button", name="Play", exact=True).wait_for()  # it has ended
        text = page.locator(".say").inner_text()
        assert said in text and text != before
        page.locator(".ce").screenshot(path=SCREENSHOTS / f"{title[:4]}_{width}_{scheme}.png")
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_without_motion_the_end_is_shown_at_once(front):
    page = front(reduced_motion="reduce")
    page.get_by_role("button", name="Play", exact=True).click()
    assert "They have split" in page.locator(".say").inner_text()


def test_a_ball_is_dragged_and_a_drawing_drawn_by_mouse_and_keys(front):
    page = front()
    box = page.locator(".ce canvas").bounding_box()
    page.mouse.move(box["x"] + box["width"] / 4, box["y"] + 80)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] / 8, box["y"] + 150)
    page.mouse.up()
    assert int(page.get_by_label("your ball starts at").input_value()) > 100
    page.get_by_label("your ball starts at").press("ArrowRight")
    page.get_by_role("tab", name="Drop a ball").press("ArrowRight")
    page.get_by_role("tab", name="Which end?").press("ArrowRight")
    canvas = page.get_by_role("application")
    before = canvas.screenshot()
    canvas.focus()
    for key in (" ", "ArrowDown", " "):
        page.keyboard.press(key)
    assert canvas.screenshot() != before


def test_a_ball_is_dragged_and_a_drawing_drawn_by_touch(front):
    page = front(width=390, has_touch=True, is_mobile=True)
    touch = page.context.new_cdp_session(page)

    def stroke(across, down):
        """A finger across the canvas, to a place that is given in its size."""
        box = page.locator(".ce canvas").bounding_box()
        x, y, width, height = (box[side] for side in ("x", "y", "width", "height"))
        for part in range(9):
            at = dict(
                x=x + width * (0.3 + part / 8 * (across - 0.3)),
                y=y + height * (0.3 + part / 8 * (down - 0.3)),
            )
            kind = "touchMove" if part else "touchStart"
            touch.send("Input.dispatchTouchEvent", dict(type=kind, touchPoints=[at]))
        touch.send("Input.dispatchTouchEvent", dict(type="touchEnd", touchPoints=[]))

    angle = page.get_by_label("your ball starts at")
    before = angle.input_value()
    stroke(0.15, 0.4)
    assert angle.input_value() != before
    page.get_by_role("tab", name="Read my secret").tap()
    before = page.locator(".ce canvas").screenshot()
    stroke(0.4, 0.4)
    assert page.locator(".ce canvas").screenshot() != before


def test_sixty_pictures_a_second(front):
    """A picture of any scene, simulation and drawing, takes less than a sixtieth of a second."""
    page = front()
    for title in SAID:
        page.get_by_role("tab", name=title).click()
        spent = page.evaluate("""() => new Promise(done => {
            const spent = [], ask = window.requestAnimationFrame;
            window.requestAnimationFrame = call => ask(now => {
                const start = performance.now(); call(now); spent.push(performance.now() - start);
            });
            document.querySelector(".ce button.play").click();
            setTimeout(() => { window.requestAnimationFrame = ask; done(spent); }, 1500);
        })""")
        assert len(spent) > 10 and np.median(spent) < 1000 / 60
        page.get_by_role("button", name=re.compile("Pause|Play")).first.click()


def test_another_notebook_runs(page, lab):
    assert_ran(run_all(page, lab, "03_spacetime"), "03_spacetime")
    page.screenshot(path=SCREENSHOTS / "notebook.png")


@pytest.mark.parametrize("width", [1280, 390])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_pages_are_whole_without_a_network(browser, scheme, width):
    context = browser.new_context(
        offline=True, color_scheme=scheme, viewport={"width": width, "height": 900}
    )
    page, asked = context.new_page(), []
    page.on("request", lambda request: asked.append(request.url))
    for path in sorted((tree.BUILD / "html").glob("*.html")):
        page.goto(path.as_uri())
        assert path.stat().st_size < 8 * 2**20
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        assert not page.evaluate("document.querySelector('details.code[open]')")
        assert page.evaluate("document.documentElement.dataset.theme") == scheme
        assert page.evaluate(
            "[...document.images].every(i => i.complete && i.naturalWidth > 0 && i.alt)"
        )
        text = "[...document.querySelectorAll('p, li, td, th, h1, h2, h3')].map(e => e.innerText)"
        assert not re.search(r"\$[^$ \n][^$\n]*\$", "\n".join(page.evaluate(text))), "unrendered"
        assert page.evaluate(
            "[...document.querySelectorAll('math')].every(m => m.getBoundingClientRect().width > 0)"
        )
    assert all(url.startswith(("file:", "data:")) for url in asked)
    page.screenshot(path=SCREENSHOTS / f"page_{scheme}_{width}.png")
    context.close()


def test_the_theme_is_remembered_and_a_picture_enlarged(front):
    page = front(color_scheme="light")
    page.locator("#theme").click()
    page.goto((tree.BUILD / "html" / f"{tree.stems()[1]}.html").as_uri())
    assert page.evaluate("document.documentElement.dataset.theme") == "dark"
    page.locator(".enlarge").first.click()
    assert page.locator("dialog[open] img").is_visible()
    page.keyboard.press("Escape")
    assert not page.locator("dialog[open]").count()
