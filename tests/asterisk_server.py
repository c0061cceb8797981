"""A real Asterisk, configured as our pages tell a vendor to, that calls itself."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

import fetching
import servers
from otokura.cli.local.program import Program

ROOT = Path(__file__).parents[1]
HOME = ROOT / ".cache" / "asterisk"

DIRECTORIES = """\
[directories]
astcachedir => {folder}
astetcdir => {folder}
astmoddir => {home}/modules
astvarlibdir => {home}/var
astdatadir => {home}/var
astdbdir => {folder}
astkeydir => {folder}
astagidir => {folder}
astspooldir => {folder}
astrundir => {folder}
astlogdir => {folder}
astsbindir => {home}
[options]
verbose = 3
nocolor = yes
dumpcore = no
"""
MODULES = (
    "res_sorcery_config", "res_sorcery_memory", "res_timing_timerfd", "res_http_websocket",
    "res_websocket_client", "chan_websocket", "res_audiosocket", "app_audiosocket", "chan_audiosocket",
    "pbx_config", "res_clioriginate", "bridge_simple", "bridge_builtin_features", "codec_ulaw", "codec_alaw",
    "codec_resample", "format_pcm", "app_playback", "app_dial", "app_originate", "app_chanspy",
    "func_channel", "func_callerid", "func_uri", "func_logic", "func_curl", "func_json", "res_curl",
    "format_sln", "app_stack",
)  # fmt: skip
LOGGER = "[general]\n[logfiles]\nconsole => notice,warning,error,verbose\n"


def fetched() -> Path:
    """The folder of Asterisk, fetched when it is not there; skips the test where it cannot be had or run.

    A skip even where all tests are wanted (`missing.py`): it comes from Debian's newest, which needs the
    keyring of the archive and is now and then not installable.
    """
    problem = fetching.fetched(HOME, [ROOT / "scripts" / "fetch-asterisk"])
    if problem is not None:
        pytest.skip(f"no Asterisk to be had: {problem}")
    version = subprocess.run([*program(HOME), "-V"], capture_output=True, text=True, check=False)
    if version.returncode != 0:
        pytest.skip(f"Asterisk does not run here: {version.stderr.strip()[-300:]}")
    return HOME


def program(home: Path) -> list[str]:
    """How to run it: its own loader and libraries, since Debian's newest do not run on an older C library."""
    return [str(home / "loader"), "--library-path", str(home / "lib"), str(home / "asterisk")]


class Asterisk:
    """One process with its own configuration.

    Args:
        folder: for its files; short, since a socket lies there.
        files: configuration files by name; `extensions.conf` makes the dialplan.
    """

    def __init__(self, folder: Path, files: dict[str, str]) -> None:
        home = fetched()
        self._folder = folder
        fixed = {
            "asterisk.conf": DIRECTORIES.format(folder=folder, home=home),
            "modules.conf": "[modules]\nautoload=no\n" + "".join(f"load={name}.so\n" for name in MODULES),
            "logger.conf": LOGGER,
        }
        for name, text in {**fixed, **files}.items():
            (folder / name).write_text(text)
        self._argv = [*program(home), "-C", str(folder / "asterisk.conf")]
        log = folder / "asterisk.log"
        self.program = Program("asterisk", [*self._argv, "-f"], env=servers.inherited_environment(), log=log)

    def start(self) -> None:
        self.program.start()
        self.program.wait_until(lambda: "Asterisk Ready." in self.log())

    def log(self) -> str:
        return self.program.log.read_text(errors="replace")

    def say(self, command: str) -> str:
        """A command of its command line; what it answers."""
        argv = [*self._argv, "-rx", command]
        return subprocess.run(argv, capture_output=True, text=True, check=True, timeout=30).stdout
