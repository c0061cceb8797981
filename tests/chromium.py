"""A real browser, as people at a call centre have one."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Browser, sync_playwright

import fetching
from missing import missing

ROOT = Path(__file__).parents[1]
HOME = ROOT / ".cache" / "chromium"
SHELL = HOME / "chromium" / "chromium-headless-shell"
FONTS = """\
<?xml version="1.0"?>
<!DOCTYPE fontconfig SYSTEM "fonts.dtd">
<fontconfig><dir>{fonts}</dir><cachedir>{cache}</cachedir></fontconfig>
"""


def fetched() -> None:
    """Chromium, fetched when it is not there; skips the test where it cannot be had or run."""
    problem = fetching.fetched(HOME, [ROOT / "scripts" / "fetch-chromium"])
    if problem is not None:
        missing(f"no Chromium to be had: {problem}")


@contextmanager
def browser(folder: Path) -> Iterator[Browser]:
    """A running browser that has its own fonts and libraries; `folder` is for its files."""
    fetched()
    fonts = folder / "fonts.conf"
    fonts.write_text(FONTS.format(fonts=HOME / "fonts", cache=folder / "fonts"))
    environment: dict[str, str | float | bool] = {
        "PATH": os.environ["PATH"],
        "HOME": str(folder),
        "FONTCONFIG_FILE": str(fonts),
        "LD_LIBRARY_PATH": str(HOME / "lib"),
    }
    version = subprocess.run(
        [SHELL, "--version"],
        env={name: str(value) for name, value in environment.items()},
        capture_output=True,
        text=True,
        check=False,
    )
    if version.returncode != 0:
        missing(f"Chromium does not run here: {version.stderr.strip()[-300:]}")
    with sync_playwright() as playwright:
        # Its own sandbox needs what containers do not give; it opens our pages alone.
        launched = playwright.chromium.launch(
            executable_path=SHELL, env=environment, args=["--no-sandbox", "--disable-gpu"]
        )
        yield launched
        launched.close()
