"""Audio: `decoder` opens hostile files in a confined process, `flac` writes recordings, `g711` expands."""
