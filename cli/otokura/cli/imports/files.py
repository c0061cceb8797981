"""The recordings in a folder, and finding one by the name that a sidecar gives it.

Names of files are written differently in different places: macOS takes letters with marks apart (NFD),
Windows separates folders with backslashes and knows no case, and cp932 has other code points for some signs
(the wave dash above all) than everybody else. None of that makes it another file.
"""

from __future__ import annotations

import unicodedata
from collections import defaultdict
from pathlib import Path, PurePosixPath

AUDIO_SUFFIXES = frozenset(
    {
        *(".wav", ".wave", ".flac", ".mp3", ".m4a", ".mp4", ".aac", ".ogg", ".oga", ".opus", ".webm", ".mka"),
        *(".amr", ".awb", ".3gp", ".aif", ".aiff"),
    }
)

# Wave dash, minus, parallel, em dash, cent, pound, not: as JIS X 0208 has them, and as cp932 has them.
_ALIKE = str.maketrans(
    "\u301c\u2212\u2016\u2014\u00a2\u00a3\u00ac", "\uff5e\uff0d\u2225\u2015\uffe0\uffe1\uffe2"
)


class FileNameError(Exception):
    """The name leads to no one file of the folder; the text says why."""


class Folder:
    """The files in a folder and below it, hidden ones left out.

    Args:
        path: the folder.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._names: dict[str, list[str]] = defaultdict(list)
        self._any_case: dict[str, list[str]] = defaultdict(list)
        for found in sorted(path.rglob("*")):
            inside = found.relative_to(path)
            if found.is_file() and not any(part.startswith(".") for part in inside.parts):
                self._names[_alike(inside.as_posix())].append(inside.as_posix())
                self._any_case[_alike(inside.as_posix()).casefold()].append(inside.as_posix())

    def find(self, name: str) -> str:
        """The file's own name, from the folder on, with slashes.

        Raises:
            FileNameError: there is none, or more than one that could be meant.
        """
        wanted = PurePosixPath(name.replace("\\", "/"))
        if wanted.is_absolute() or ".." in wanted.parts or wanted.drive or ":" in wanted.parts[0]:
            raise FileNameError("name the file from the folder on, without .. and drives")
        key = _alike(str(wanted))
        found = self._names.get(key) or self._any_case.get(key.casefold()) or []
        if not found:
            raise FileNameError("there is no such file in the folder")
        if len(found) > 1:
            raise FileNameError(f"{len(found)} files of the folder could be meant")
        return found[0]

    def audio(self) -> list[str]:
        """The names of all that look like recordings."""
        return sorted(
            name
            for names in self._names.values()
            for name in names
            if PurePosixPath(name).suffix.lower() in AUDIO_SUFFIXES
        )


def _alike(name: str) -> str:
    return unicodedata.normalize("NFC", name).translate(_ALIKE)
