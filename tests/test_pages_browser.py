"""Pages in a browser: what a reader clicks, what is read off, and that nothing leaves the page.

Skipped where there is no chromium or no playwright (``pip install -e '.[browser]'``).
"""

import csv
import io
import re
import shlex
import shutil
import tarfile
from pathlib import Path

import numpy as np
import pytest
from command_line import call
from hostile_run import HOSTILE, hostile_run
from small_cells import CELL

import simbias
from simbias.pages import page
from simbias.validation.planes import ZONES

pytestmark = pytest.mark.thorough

ROOT = Path(__file__).parents[1]
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser"))), None)
AXE = ROOT / ".venv" / "axe-core" / "package" / "axe.min.js"  # where .ci/browser puts it
if CHROMIUM is None:
    pytest.skip("no chromium is installed", allow_module_level=True)
playwright = pytest.importorskip("playwright.sync_api", reason="no playwright is installed")
WIDE, NARROW = {"width": 1280, "height": 900}, {"width": 390, "height": 800}
PAPER = {"width": 718, "height": 1047}  # A4 without its margins


@pytest.fixture(scope="module")
def browser():
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def opened(browser, tmp_path):
    """Opens a page, and holds it to asking for nothing and to raising no error."""
    tabs = []

    def open_(html, viewport=WIDE, **options):
        path = tmp_path / f"page{len(tabs)}.html"
        path.write_text(html)
        tab = browser.new_page(viewport=viewport, **options)
        seen = {"requests": [], "errors": [], "dialogs": []}
        tab.on("request", lambda request: seen["requests"].append(request.url))
        tab.on("console", lambda message: seen["errors"].append(message.text))
        tab.on("pageerror", lambda error: seen["errors"].append(str(error)))
        tab.on("dialog", lambda dialog: (seen["dialogs"].append(dialog.message), dialog.dismiss()))
        tab.goto(path.as_uri())
        tabs.append((tab, path, seen))
        return tab

    yield open_
    for tab, path, seen in tabs:
        tab.wait_for_timeout(50)
        asked = [url for url in seen["requests"] if not url.startswith(("data:", "blob:"))]
        assert {url.partition("#")[0] for url in asked} == {path.as_uri()}
        assert not seen["errors"] and not seen["dialogs"], seen
        tab.close()


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    """A run of three networks with their weights."""
    options = {"n_train": CELL.n_train, "batch": CELL.batch, "stop": CELL.stop, "seeds": 3}
    stack = simbias.train(CELL.task, CELL.network, CELL.method, n_select=200, **options)
    return simbias.runner.keep(stack, tmp_path_factory.mktemp("kept") / "run", n_certify=500)


@pytest.fixture(scope="module")
def html(store):
    return page([store.directory], networks=2)


@pytest.fixture(scope="module")
def recorded(tmp_path_factory):
    """Unpacks a recorded run; that of the README's first command is run."""

    def unpacked(name):
        folder = tmp_path_factory.mktemp("recorded") / name
        if name == "smoke":
            code, _, err = call("run", "pitfalls", "--preset", "smoke", "--out", folder)
            assert code == 0, err
            return folder
        with tarfile.open(ROOT / "figures" / "recorded" / f"{name}.tar.xz") as archive:
            archive.extractall(folder, filter="data")
        return folder

    return unpacked


def downloaded(tab, button):
    with tab.expect_download() as download:
        button.click()
    return list(csv.reader(io.StringIO(Path(download.value.path()).read_text())))


def column(table, heading):
    heads = [text.strip() for text in table.locator("thead th").all_inner_texts()]
    place = heads.index(heading)
    return place, [row.locator("th, td").nth(place) for row in table.locator("tbody tr").all()]


def sorted_by(cell):
    """The number that the script sorts a row by."""
    return float(cell.get_attribute("data-v") or cell.evaluate("cell => cell.firstChild.data"))


def test_a_click_sorts_and_a_word_filters(opened, store, html):
    tab = opened(html)
    table = tab.locator("#run1-networks")
    _, rows = store.query("SELECT risk FROM networks ORDER BY seed")
    place, cells = column(table, "risk")
    shown = [sorted_by(cell) for cell in cells]
    assert shown == pytest.approx([risk for (risk,) in rows])
    head = table.locator("thead th").nth(place)
    for state, order in (("ascending", 1), ("descending", -1)):
        head.get_by_role("button").press("Enter")
        assert head.get_attribute("aria-sort") == state
        _, cells = column(table, "risk")
        now = [sorted_by(cell) for cell in cells]
        assert now == sorted(shown, reverse=order < 0)
    tab.get_by_label("Filter The networks of the run").fill("seed: 1")
    assert table.locator("tbody tr:visible").count() == 1
    assert tab.locator("#count-run1-networks").inner_text() == "1 of 3 rows"
    rows = downloaded(tab, tab.locator("[data-export=run1-networks]"))
    assert len(rows) == 2 and rows[1][rows[0].index("seed")] == "1"


def test_a_link_shows_its_row_even_where_that_was_filtered_out(opened, html):
    tab = opened(html)
    table = tab.locator("#run1-networks")
    link = table.locator("tbody tr").nth(2).get_by_role("link")
    address = link.get_attribute("href")
    tab.get_by_label("Filter The networks of the run").fill("nothing of the kind")
    assert table.locator("tbody tr:visible").count() == 0
    tab.evaluate(f"location.hash = {address[1:]!r}")
    tab.wait_for_function(
        "document.querySelector('#run1-networks tbody tr:target').hidden === false"
    )
    assert tab.locator(address).is_visible()


def test_what_the_explorer_shows_is_what_is_measured(opened, store, html):
    tab = opened(html)
    explorer = tab.locator(".explorer")
    explorer.locator("[data-part=network]").select_option(index=1)
    plane = explorer.locator("[data-part=plane]").select_option(index=1)
    times = explorer.locator("[data-part=time] option").all_inner_texts()
    assert times[0] == "before the first update" and "after 100 updates" in times[-1]
    label = explorer.locator("[data-part=plane] option").nth(int(plane[0])).inner_text()
    coordinate = int(re.search(r"x0 and x(\d)", label)[1])
    stack = simbias.results.load_stack(store, seed=1)
    options = {"coordinates": [coordinate], "resolution": 64, "contexts": 64, "planes": 1}
    grids = simbias.validation.measure_grids(stack, **options)
    rows = downloaded(tab, explorer.locator("[data-part=export]"))
    assert rows[0] == ["x0", f"x{coordinate}", "proportion"]
    shown = np.array([float(row[2]) for row in rows[1:]]).reshape(64, 64)
    np.testing.assert_allclose(shown, grids.proportion[0, 0], atol=1e-6)
    np.testing.assert_allclose([float(row[0]) for row in rows[1:65]], grids.across, atol=1e-5)
    risk = 1 - grids.achievable_agreement.value[0, 0]
    for i, zone in enumerate(ZONES):
        line = explorer.locator("[data-part=zones] tr").nth(i)
        texts = line.locator("th, td").all_inner_texts()
        assert texts[0] == zone and texts[1].startswith(f"{100 * risk[i]:.1f}%")
    canvas = explorer.locator("canvas")
    canvas.press("ArrowUp")
    canvas.press("ArrowRight")
    read = explorer.locator("[data-part=read]").inner_text()
    count = round(grids.proportion[0, 0, 32, 33] * 64)
    assert f"x0 = {grids.across[33]:.3f}" in read and f"+ in {count} of 64 contexts" in read


def test_a_figure_hands_out_the_data_that_simbias_plot_writes(opened, store, html):
    tab = opened(html)
    button = tab.locator("#run1-figure-training button").first
    rows = downloaded(tab, button)
    (stem, display) = next(
        (stem, shown)
        for kind, stem, shown in simbias.plots.run.displays(
            simbias.plots.run.Chosen(store), ["training"]
        )
    )
    assert button.inner_text() == f"{stem}.csv" or stem in button.inner_text()
    assert rows == list(csv.reader(io.StringIO(next(iter(display.csv().values())))))


def test_a_hostile_run_shows_as_text(opened, tmp_path):
    tab = opened(page([hostile_run(tmp_path / "run")]))
    tab.locator("details.claim summary").first.click()
    units = tab.locator(".units table")
    units.wait_for()
    assert HOSTILE in units.inner_text()
    assert tab.locator("img, iframe, object").count() == 0
    assert tab.locator("details.claim strong").inner_text() == HOSTILE.replace("FIELD", "id")
    rows = downloaded(tab, tab.locator(".units button"))
    assert all(not field.startswith("=") for row in rows for field in row)
    rows = downloaded(tab, tab.locator("[data-export=run1-verdicts]"))
    assert rows[1][0].startswith("'=1+id</script>")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_contrast_labels_and_structure_are_sound(opened, html, scheme):
    if not AXE.exists():
        pytest.skip(f"no axe-core at {AXE.relative_to(ROOT)}")
    tab = opened(html, WIDE if scheme == "light" else NARROW, color_scheme=scheme)
    assert violations(tab) == []
    assert beyond_the_window(tab) <= 0
    figure = tab.locator("#run1-figure-training svg")  # as wide as its texts can be read
    assert figure.bounding_box()["width"] >= 640


def beyond_the_window(tab):
    """Pixels of the page that a reader would have to scroll to sideways."""
    return tab.evaluate(
        "document.documentElement.scrollWidth - document.documentElement.clientWidth"
    )


def violations(tab):
    tab.wait_for_timeout(200)
    tab.evaluate(AXE.read_text())
    faults = tab.evaluate("axe.run(document, {resultTypes: ['violations']})")["violations"]
    return [(entry["id"], [node["html"][:150] for node in entry["nodes"][:3]]) for entry in faults]


@pytest.mark.slow
@pytest.mark.parametrize(
    "name",
    [
        "smoke", "phase", "bounds", "certify", "claims", "mitigation", "noise", "pitfalls",
        "collapse", "directions", "compute",
    ],
)  # fmt: skip
def test_recorded_runs_open_small_and_sound(opened, recorded, name):
    text = page([recorded(name)])
    assert len(text.encode()) <= 1_000_000
    assert "constrained_layout" not in text  # every figure has room for its panels
    tab = opened(text)
    if AXE.exists():
        assert violations(tab) == []
    tab.set_viewport_size(NARROW)
    assert beyond_the_window(tab) <= 0
    tab.set_viewport_size(PAPER)
    tab.emulate_media(media="print")
    assert beyond_the_window(tab) <= 0  # what does not fit is lost on paper


@pytest.mark.slow
def test_clicks_say_which_seeds_escaped_where_one_memorised_and_how_to_repeat_it(opened, recorded):
    folder = recorded("phase")
    tab = opened(page([folder], networks=1))
    rows = simbias.results.Store(folder).query("SELECT cell, seed, risk, memorised FROM networks")[
        1
    ]
    # which seeds escaped: a word in the filter leaves those that reach the rule
    table = tab.locator("#run1-networks")
    tab.get_by_label("Filter The networks of the run").fill("reaches the rule: yes")
    escaped = {(cell, seed) for cell, seed, risk, _ in rows if risk is not None and risk < 0.01}
    shown = table.locator("tbody tr:visible").evaluate_all(
        "rows => rows.map(row => [...row.cells].slice(1, 4).map(cell => cell.firstChild.data))"
    )
    assert {(cell, int(seed)) for cell, _, seed in shown} == escaped and len(escaped) > 40
    # where did it memorise: the most memorised first, then its zones in the explorer
    tab.get_by_label("Filter The networks of the run").fill("")
    place, _ = column(table, "memorised")
    button = table.locator("thead th").nth(place).get_by_role("button")
    button.click()
    button.click()
    first = table.locator("tbody tr").first.locator("th, td").nth(place)
    most = max(memorised for *_, memorised in rows if memorised is not None)
    assert sorted_by(first) == pytest.approx(most)
    explorer = tab.locator(".explorer")
    explorer.locator("[data-part=network]").select_option(index=0)
    zones = explorer.locator("[data-part=zones] tr").all_inner_texts()
    assert [zone.split()[0] for zone in zones] == list(ZONES) and all("%" in zone for zone in zones)
    # how do I repeat it: the command on the page plans the same networks
    words = shlex.split(tab.locator("#run1-about pre.command").inner_text())
    assert words[:3] == ["simbias", "run", "phase"]
    code, out, _ = call(*words[1:], "--dry-run")
    assert code == 0 and f"{len(rows)} networks" in out


@pytest.mark.slow
def test_clicks_say_whether_a_bound_is_valid_and_what_refutes_a_claim(opened, recorded):
    folder = recorded("bounds")
    tab = opened(page([folder]))
    table = tab.locator("#run1-assumptions")
    tab.get_by_label("Filter What bounds assume").fill("golowich-path")
    (line,) = table.locator("tbody tr:visible").all_inner_texts()
    query = "SELECT count(*), count(*) FILTER (valid) FROM bounds WHERE bound = 'golowich-path'"
    ((asked, valid),) = simbias.results.Store(folder).query(f"{query} AND valid IS NOT NULL")[1]
    assert f"{valid} of {asked}" in line and "Golowich" in line
    folder = recorded("claims")
    tab = opened(page([folder]))
    tab.locator("#run1-verdicts").get_by_role("link", name="conclusion-1", exact=True).click()
    claim = tab.locator("#run1-claim-conclusion-1")
    units = claim.locator(".units tbody tr")
    units.first.wait_for()
    query = "SELECT value FROM evidence WHERE id = 'conclusion-1' AND outcome = 'fails'"
    failing = [value for (value,) in simbias.results.Store(folder).query(query)[1]]
    told = [text for text in units.all_inner_texts() if "fails" in text]
    assert len(told) == len(failing) > 0 and "refuted" in claim.locator("summary").inner_text()
    assert all(any(f"{value:.6g}" in text for text in told) for value in failing)
