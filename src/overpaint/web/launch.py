"""Starts the page's server: on this machine alone, without statistics, without running code of uploads."""

import gc
import importlib.util
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from overpaint.core.errors import OverpaintError
from overpaint.web.options import LOCAL, PageOptions, read_options

SCRIPT = Path(__file__).with_name("script.py")

UPLOAD_MEGABYTES = 200

SWITCH = 2e-4
"""Seconds after which a thread that draws lets one go on that computes; many small operations would wait 5 ms each."""


def server_flags(options: PageOptions) -> list[str]:
    """Returns Streamlit's flags.

    Hosts by which the page is asked for are named, or a foreign page in the browser could ask for it under a name that
    resolves to this machine (DNS rebinding).
    """
    hosts = ["localhost", LOCAL, *([options.address] if options.address not in (LOCAL, "0.0.0.0") else [])]
    flags = {
        "browser.gatherUsageStats": "false",
        "client.showErrorDetails": "none",
        "client.toolbarMode": "minimal",
        "runner.magicEnabled": "false",
        "server.address": options.address,
        "server.fileWatcherType": "none",
        "server.headless": "true",
        "server.maxUploadSize": str(UPLOAD_MEGABYTES),
        "theme.light.primaryColor": "#0072b2",
        "theme.dark.primaryColor": "#56b4e9",
    }
    if options.port is not None:
        flags["server.port"] = str(options.port)
    named = [] if options.address == "0.0.0.0" else [f"--server.allowedHosts={host}" for host in hosts]
    return [*(f"--{name}={value}" for name, value in flags.items()), *named]


def launch(words: Sequence[str]) -> None:
    """Serves the page until it is interrupted.

    Args:
        words: What stands behind ``overpaint web``.

    Raises:
        OverpaintError: If Streamlit is not installed.
    """
    options = read_options(words)
    if importlib.util.find_spec("streamlit") is None:
        raise OverpaintError('the page needs Streamlit; install it with: pip install -e ".[web]"')
    # A core is left to draw the page, or torch's threads wait for it in a loop; measured: 4 s in the place of 11.
    os.environ.setdefault("OMP_NUM_THREADS", str(max(1, (os.cpu_count() or 2) - 1)))
    sys.setswitchinterval(SWITCH)
    sys.stdout.write("Loading ...\n")
    sys.stdout.flush()
    from streamlit.web import cli

    import overpaint.api.explainer  # noqa: F401  # what takes seconds is loaded before the first visitor comes

    # Streamlit collects garbage each time it has drawn; looking through all modules holds the page for 0.3 s.
    gc.collect()
    gc.freeze()
    own = [f"--outputs={options.outputs}", *(["--allow-code"] if options.allow_code else [])]
    cli.main(["run", str(SCRIPT), *server_flags(options), "--", *own], prog_name="overpaint web")
