"""The report in a real browser, Debian's chromium without a window: opened from disk, as wide as a phone or a desktop.

Skipped where there is no chromium with its chromedriver; with CI=true in the environment, that is a failure.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
from selenium import webdriver
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.remote.webelement import WebElement

from tests.support.report_results import write_results

pytestmark = pytest.mark.slow("starts a browser")

PHONE, DESKTOP = 390, 1280  # pixels
SILENT = ("--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync")
CLAIMS, RUNS = "#claims-table tbody tr", "#runs-table tbody tr"
# Everything that is wider than the page and is in no part that scrolls by itself.
TOO_WIDE = """
return [...document.querySelectorAll("main *, footer *")]
  .filter((e) => !e.closest(".scroll, .skip"))
  .filter((e) => e.getBoundingClientRect().right > document.documentElement.clientWidth + 1)
  .map((e) => e.tagName + ": " + e.textContent.trim().slice(0, 60));
"""
# The lowest ratio of luminance between the text and the page (WCAG 2) over some elements.
CONTRAST = """
const luminance = (colour) => {
  const [r, g, b] = colour.match(/[\\d.]+/g).slice(0, 3).map((v) => v / 255)
    .map((v) => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4));
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
};
const paper = luminance(getComputedStyle(document.body).backgroundColor);
return [...document.querySelectorAll("h1, p, small, a, .badge, .none, code")].map((e) => {
  const ink = luminance(getComputedStyle(e).color);
  return (Math.max(ink, paper) + 0.05) / (Math.min(ink, paper) + 0.05);
}).reduce((a, b) => Math.min(a, b));
"""


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_results(tmp_path_factory.mktemp("report"))


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory):
    chromium, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if not (chromium and driver):
        missing = "chromium and chromedriver are needed (on Debian: apt-get install chromium chromium-driver)"
        pytest.fail(missing) if os.environ.get("CI") == "true" else pytest.skip(missing)
    options = webdriver.ChromeOptions()
    options.binary_location = chromium
    profile = tmp_path_factory.mktemp("profile")
    for argument in ("--headless", "--no-sandbox", "--disable-gpu", *SILENT, f"--user-data-dir={profile}"):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    opened = webdriver.Chrome(options=options, service=webdriver.ChromeService(executable_path=driver))
    yield opened
    opened.quit()


@pytest.fixture
def open_at(browser: webdriver.Chrome, results: Path) -> Callable[..., webdriver.Chrome]:
    """Opens the report from disk, at a width and in a colour scheme."""

    def open_page(width: int, scheme: str = "light") -> webdriver.Chrome:
        screen = {"width": width, "height": 844, "deviceScaleFactor": 1, "mobile": width == PHONE}
        browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", screen)
        preferences = {"prefers-color-scheme": scheme, "prefers-reduced-motion": "reduce"}
        features = [{"name": name, "value": value} for name, value in preferences.items()]
        browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})
        browser.get("about:blank")
        browser.get((results / "report.html").as_uri())
        return browser

    return open_page


def shown(page: webdriver.Chrome, rows: str) -> list[WebElement]:
    """The rows of a table that can be seen, in their order."""
    script = "return [...document.querySelectorAll(arguments[0])].filter((row) => row.getClientRects().length)"
    return page.execute_script(script, rows)


def column(page: webdriver.Chrome, rows: str, number: int) -> list[str]:
    """What the rows that can be seen are sorted by in one column: its value, else its text."""
    script = """
      return [...document.querySelectorAll(arguments[0])].filter((row) => !row.hidden)
        .map((row) => row.cells[arguments[1]]).map((cell) => cell.dataset.value ?? cell.textContent.trim());"""
    return page.execute_script(script, rows, number)


def numbers(texts: list[str]) -> list[float]:
    """Those of `texts` that are no gaps, which must come last."""
    first_gap = texts.index("") if "" in texts else len(texts)
    assert not any(texts[first_gap:])
    return [float(text) for text in texts[:first_gap]]


def heading(page: webdriver.Chrome, table: str, label: str) -> WebElement:
    (button,) = page.find_elements(By.XPATH, f"//table[@id='{table}']//th/button[starts-with(., '{label}')]")
    return button


def click(page: webdriver.Chrome, element: WebElement) -> None:
    """Clicks on an element that was brought to the middle first, where nothing that sticks covers it."""
    page.execute_script("arguments[0].scrollIntoView({block: 'center'})", element)
    element.click()


def tab_to(page: webdriver.Chrome, wanted: WebElement, most: int = 150) -> None:
    """Presses the tabulator until the element has the focus."""
    for _ in range(most):
        if page.switch_to.active_element == wanted:
            return
        page.switch_to.active_element.send_keys(Keys.TAB)
    pytest.fail(f"{wanted.text!r} is not reached by the keyboard")


def focused_outline(page: webdriver.Chrome) -> str:
    return page.execute_script("return getComputedStyle(document.activeElement).outlineStyle")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [PHONE, DESKTOP])
def test_it_fits_and_can_be_read(open_at, width: int, scheme: str):
    page = open_at(width, scheme)
    assert page.execute_script("return document.documentElement.scrollWidth") <= width
    assert page.execute_script(TOO_WIDE) == []
    assert page.execute_script(CONTRAST) >= 4.5
    assert page.find_element(By.CSS_SELECTOR, "figure img").get_property("naturalWidth") > 100
    assert page.get_log("browser") == []


def test_it_asks_the_network_for_nothing(open_at):
    page = open_at(DESKTOP)
    asked = page.execute_script("return performance.getEntriesByType('resource').map((entry) => entry.name)")
    assert [name for name in asked if not name.startswith("data:")] == []


@pytest.mark.parametrize("width", [PHONE, DESKTOP])
def test_a_count_leads_to_its_claims(open_at, results: Path, width: int):
    page = open_at(width)
    judged = pd.read_csv(results / "claims.csv")
    whole = "a[data-count][data-section='']"  # those of single sections have the same code
    counts = page.find_elements(By.CSS_SELECTOR, whole)
    expected = judged.groupby(["framework", "verdict"]).size().to_dict()
    found = {(c.get_attribute("data-framework"), c.get_attribute("data-verdict")): c for c in counts}
    assert {key: int(link.text.split()[0]) for key, link in found.items()} == expected
    for key in (("torch", "reproduced"), ("jax", "differs (worse)"), ("torch", "not comparable")):
        click(page, found[key])
        assert len(shown(page, CLAIMS)) == expected[key]
        assert page.find_element(By.CSS_SELECTOR, "#claims .shown").text == f"{expected[key]} of {len(judged)} rows"
    statement = page.find_element(By.CSS_SELECTOR, "a[data-count][data-text]")
    click(page, statement)
    assert len(shown(page, CLAIMS)) == int(statement.get_attribute("data-count"))
    click(page, page.find_element(By.CSS_SELECTOR, "#claims button[type=reset]"))
    assert len(column(page, CLAIMS, 0)) == len(judged)


@pytest.mark.parametrize("width", [PHONE, DESKTOP])
def test_sorting_and_filtering_with_the_mouse(open_at, width: int):
    page = open_at(width)
    before = column(page, CLAIMS, 0)
    for label, number in (("Paper", 3), ("Ours", 4), ("Margin", 5), ("Resolves", 6), ("Verdict", 7)):
        button = heading(page, "claims-table", label)
        for order, reverse in (("ascending", False), ("descending", True)):
            click(page, button)
            keys = numbers(column(page, CLAIMS, number))
            assert len(set(keys)) > 1 and keys == sorted(keys, reverse=reverse), (label, order)
            assert button.find_element(By.XPATH, "..").get_attribute("aria-sort") == order
    assert column(page, CLAIMS, 0) != before
    assert len(page.find_elements(By.CSS_SELECTOR, "[aria-sort=ascending], [aria-sort=descending]")) == 1

    page.find_element(By.CSS_SELECTOR, "#runs select[data-filter=framework] option[value=jax]").click()
    assert [row.get_attribute("data-framework") for row in shown(page, RUNS)] == ["jax"] * 3
    click(page, heading(page, "runs-table", "Replicas"))
    assert column(page, RUNS, 3) == ["1", "3", "3"]


@pytest.mark.parametrize("width", [PHONE, DESKTOP])
def test_sorting_and_filtering_with_the_keyboard_alone(open_at, width: int):
    page = open_at(width)
    words = page.find_element(By.CSS_SELECTOR, "#claims [data-filter=text]")
    tab_to(page, words)
    assert focused_outline(page) == "solid"
    words.send_keys("cifar cdni ±")  # findings have no margin
    rows = shown(page, CLAIMS)
    assert len(rows) == 2 * 6 and all("CIFAR-10" in row.text and "cDNI" in row.text for row in rows)

    words.send_keys(Keys.TAB, Keys.TAB)
    framework = page.switch_to.active_element
    framework.send_keys("J")
    assert framework.get_attribute("value") == "jax"
    assert [row.get_attribute("data-framework") for row in shown(page, CLAIMS)] == ["jax"] * 6

    paper = heading(page, "claims-table", "Paper")
    tab_to(page, paper)
    assert focused_outline(page) == "solid"
    paper.send_keys(Keys.ENTER)
    assert numbers(column(page, CLAIMS, 3)) == [16.4, 19.0, 43.5, 45.1, 46.8, 48.5]
    paper.send_keys(Keys.SPACE)
    assert numbers(column(page, CLAIMS, 3)) == [48.5, 46.8, 45.1, 43.5, 19.0, 16.4]

    reason = shown(page, CLAIMS)[0].find_element(By.CSS_SELECTOR, "summary")
    tab_to(page, reason)
    reason.send_keys(Keys.ENTER)
    assert "The paper prints one number" in shown(page, CLAIMS)[0].text

    command = shown(page, CLAIMS)[0].find_element(By.LINK_TEXT, "command")
    tab_to(page, command)
    command.send_keys(Keys.ENTER)
    target = page.find_element(By.ID, command.get_attribute("href").partition("#")[2])
    assert target.is_displayed()
    assert "snakemake --configfile config/paper.yaml" in target.text
