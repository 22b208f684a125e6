"""What the page keeps of one visitor (a tab of the browser)."""

import shutil
import tempfile
import weakref
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import streamlit as st

from overpaint.core.names import safe_file_name
from overpaint.web.jobs import Job

AT_ONCE = 0.3
"""Seconds that the page waits for work before it shows progress: what is done by then is shown in one go."""


@dataclass(eq=False)
class Visitor:
    """A visitor's work and results; nothing of it is seen by another.

    Attributes:
        folder: Holds uploads; it is deleted with the visitor.
        job: The work that runs, or ran last.
        results: The results that are shown, by the tab that shows them, each with the question that it answers.
    """

    folder: Path = field(default_factory=lambda: Path(tempfile.mkdtemp(prefix="overpaint-web-")))
    job: Job[Any] | None = None
    results: dict[str, tuple[Any, Any]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        weakref.finalize(self, shutil.rmtree, self.folder, ignore_errors=True)

    @property
    def busy(self) -> bool:
        """Whether work of theirs runs; one at a time may."""
        return self.job is not None and self.job.running

    def running(self, name: str) -> Job[Any] | None:
        """Returns the work of that name, while it runs."""
        return self.job if self.job is not None and self.job.running and self.job.name == name else None

    def begin(self, name: str, work: Callable[[Job[Any]], None]) -> None:
        """Begins work, and draws the page again with what it has found in the first moment.

        Args:
            name: What it does; see `Job`.
            work: The work; see `Job`.
        """
        self.job = Job(name, work).start()
        self.job.wait_to_see(AT_ONCE)
        st.rerun(scope="app")

    def keep(self, name: str, content: bytes) -> Path:
        """Writes an upload into the visitor's folder, under a safe name."""
        path = self.folder / safe_file_name(Path(name).stem or "upload")
        path = path.with_name(path.name + Path(name).suffix.lower())
        if not path.is_file() or path.read_bytes() != content:
            path.write_bytes(content)
        return path


def visitor() -> Visitor:
    """Returns the visitor whose page this is."""
    if "visitor" not in st.session_state:
        st.session_state["visitor"] = Visitor()
    found: Visitor = st.session_state["visitor"]
    return found
