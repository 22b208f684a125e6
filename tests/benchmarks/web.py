"""How long the page's visitors wait, in a real browser. Run by hand after ``python train.py``.

    python tests/benchmarks/web.py [outputs] [rounds]

Each round is a new visitor, whose page is opened, who chooses one method and presses *Explain*. What is timed ends when
the browser has the picture: the page when *Explain* can be pressed, a map when its PNG is decoded and in the page.
"""

import os
import shutil
import socket
import statistics
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from playwright.sync_api import Page, expect, sync_playwright
from rich.console import Console
from rich.table import Table

SHOWN = """([name, said]) => {
  const picture = document.querySelector(`img[alt^="map of ${name}"]`);
  const there = picture && picture.complete && picture.naturalWidth;
  return there && (!said || document.body.innerText.includes(said));
}"""
"""Whether the map of a method is drawn, and a text stands in the page."""


@contextmanager
def served(outputs: str) -> Iterator[str]:
    """Serves the page; gives its address."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    server = subprocess.Popen([sys.executable, "-m", "overpaint", "web", f"--port={port}", f"--outputs={outputs}"])
    address = f"http://127.0.0.1:{port}"
    try:
        while not _answers(address):
            if server.poll() is not None:
                raise SystemExit("the page did not start")
            time.sleep(0.2)
        yield address
    finally:
        server.terminate()
        server.wait(30)


def _answers(address: str) -> bool:
    try:
        urllib.request.urlopen(f"{address}/_stcore/health").close()
    except OSError:
        return False
    return True


def choose(page: Page, *methods: str) -> None:
    """Chooses methods in the place of those that are chosen at first."""
    box = page.get_by_role("combobox", name="Methods")
    box.click()
    for _ in range(4):
        box.press("Backspace")
    for method in methods:
        box.fill(method)
        page.get_by_role("option", name=method, exact=True).click()
    page.keyboard.press("Escape")
    settled(page)
    expect(page.get_by_text(": settings")).to_have_count(len(methods))


def settled(page: Page) -> None:
    """Waits until the page is drawn whole."""
    page.wait_for_function("() => !document.querySelector('[data-testid=stStatusWidget]')")
    page.wait_for_timeout(700)


def grad_cam(page: Page) -> float:
    """Returns the seconds until Grad-CAM's map is seen."""
    choose(page, "grad_cam")
    return explained(page, "grad_cam", "")


def surrogate(page: Page) -> float:
    """Returns the seconds until the surrogate's map of 256 queries is seen."""
    choose(page, "surrogate")
    page.get_by_text("surrogate: settings").click()
    queries = page.get_by_role("spinbutton", name="queries")
    queries.fill("256")
    queries.press("Enter")
    settled(page)
    return explained(page, "surrogate", "256 queries ·")


def both(page: Page) -> float:
    """Returns the seconds until Grad-CAM's map is seen, beside the surrogate as it is chosen at first."""
    settled(page)
    return explained(page, "grad_cam", "")


def explained(page: Page, name: str, said: str) -> float:
    """Presses *Explain*, and returns the seconds until a map is seen."""
    button = page.get_by_role("button", name="Explain", exact=True)
    start = time.perf_counter()
    button.click()
    page.wait_for_function(SHOWN, arg=[name, said])
    return time.perf_counter() - start


WAITS: dict[str, Callable[[Page], float]] = {
    "Grad-CAM": grad_cam,
    "surrogate, 256 queries": surrogate,
    "Grad-CAM, first of the default methods": both,
}


def main() -> None:
    """Prints the table."""
    outputs = sys.argv[1] if len(sys.argv) > 1 else "outputs"
    rounds = int(sys.argv[2]) if len(sys.argv) > 2 else 5
    seconds: dict[str, list[float]] = {"page": [], **{name: [] for name in WAITS}}
    with served(outputs) as address, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"))
        for _ in range(rounds):
            for name, wait in WAITS.items():
                context = browser.new_context(viewport={"width": 1280, "height": 1000})
                page: Any = context.new_page()
                start = time.perf_counter()
                page.goto(address)
                page.get_by_role("button", name="Explain", exact=True).wait_for()
                seconds["page"].append(time.perf_counter() - start)
                seconds[name].append(wait(page))
                context.close()
        browser.close()
    load = os.getloadavg()[0]
    table = Table("until it is seen", "first, s", "median, s", title=f"load {load:.1f} on {os.cpu_count()} cores")
    for name, own in seconds.items():
        table.add_row(name, f"{own[0]:.2f}", f"{statistics.median(own):.2f}")
    Console(width=100).print(table)


if __name__ == "__main__":
    main()
