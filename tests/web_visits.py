"""Visits of the web page, for its tests: its logic without a browser, and a real Chromium."""

import functools
import re
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

CONFIGS = Path(__file__).resolve().parents[1] / "configs"
PATIENCE = 60.0
QUIET = ("logger.mode=none", "trainer.enable_progress_bar=false")


def _script(outputs: str, allow_code: bool) -> None:
    from pathlib import Path

    from overpaint.web.app import page
    from overpaint.web.options import PageOptions

    page(PageOptions(Path(outputs), allow_code))


def opened(outputs: Path, tab: str = "Look", allow_code: bool = False) -> AppTest:
    """Returns the page at a tab, without a browser."""
    app = AppTest.from_function(_script, args=(str(outputs), allow_code), default_timeout=PATIENCE)
    app.session_state["tab"] = tab
    app.run()
    assert not app.exception
    return app


def finished(app: AppTest) -> Any:
    """Waits for the visitor's work, and draws the page again."""
    job = app.session_state["visitor"].job
    assert job.wait(PATIENCE)
    assert job.error is None
    app.run()
    assert not app.exception
    return job


@contextmanager
def served(outputs: Path) -> Iterator[str]:
    """A page that is served within the ``with`` block; gives its address."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    words = ["-m", "overpaint", "web", f"--port={port}", f"--outputs={outputs.name}"]
    server = subprocess.Popen([sys.executable, *words], cwd=outputs.parent)
    try:
        deadline = time.monotonic() + PATIENCE
        while True:
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{port}/_stcore/health").close()
                break
            except OSError:
                assert server.poll() is None
                assert time.monotonic() < deadline, "the page did not start"
                time.sleep(0.2)
        yield f"http://127.0.0.1:{port}"
    finally:
        server.terminate()
        server.wait(30)


@functools.cache
def _chromium() -> str | None:
    return shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


@contextmanager
def real_browser() -> Iterator[Any]:
    """A headless Chromium with a camera of its own; skips the test where there is none."""
    api = pytest.importorskip("playwright.sync_api", reason="a real browser is driven by playwright")
    if _chromium() is None:
        pytest.skip("there is no chromium: apt-get install chromium")
    with api.sync_playwright() as playwright:
        camera = ["--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream"]
        found = playwright.chromium.launch(executable_path=_chromium(), args=camera)
        yield found
        found.close()


def look_closely_at_the_last(page: Any) -> None:
    """Chooses the last variant that is shown, without a mouse, and waits until it is shown closely."""
    page.get_by_text(re.compile(r"^Variant \d+ closely$")).wait_for()  # until then none can be chosen
    button = page.get_by_role("button", name=re.compile(r"^\d+: .* · \d+%$")).last
    number = button.inner_text().partition(":")[0]
    button.press("Enter")
    page.get_by_text(f"Variant {number} closely").wait_for()
    page.locator(f'img[alt*="variant {number} "]').last.wait_for()


def visit(browser: Any, address: str, width: int = 1280, dark: bool = False) -> Any:
    """Opens the page in a browser; ``asked`` are the addresses that it asks for."""
    scheme = "dark" if dark else "light"
    context = browser.new_context(viewport={"width": width, "height": 1000}, color_scheme=scheme, accept_downloads=True)
    page = context.new_page()
    page.set_default_timeout(1000 * PATIENCE)
    page.asked = []
    page.on("request", lambda request: page.asked.append(request.url))
    page.goto(address)
    page.get_by_role("tab", name="Look").wait_for()
    return page
