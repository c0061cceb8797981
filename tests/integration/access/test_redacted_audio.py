"""The recording without what is redacted, heard through the service as it runs."""

from __future__ import annotations

import numpy as np
import pytest

import audio_files
from access_audit import run
from access_calls import Call
from access_service import Access, Person, Tenant
from media_sources import MemorySource
from otokura.shared.media.decoder import decode, probe
from redacted_calls import RATE, REDACTED, Hidden, audio, flac, noise, opened, recorded, wav_samples, without

pytestmark = [pytest.mark.postgres, pytest.mark.s3, pytest.mark.kafka, pytest.mark.any_broker]
HIDDEN: Hidden = [
    (1, 1000, 1600),
    (1, 1400, 2000),  # overlaps the one before
    (0, 12_345, 12_346),
    (1, 19_990, 20_010),  # lies across a block of the decoder and a seek point
    (0, 29_500, 99_000),  # goes on behind the end
    (0, 50_000, 60_000),  # lies behind it
]
SAID = noise(30)
SILENT = without(SAID, HIDDEN)
WHOLE = 44 + SAID.nbytes


@pytest.fixture
def supervisor(tenant: Tenant) -> Person:
    return tenant.person("supervisor")


@pytest.fixture
def call(tenant: Tenant) -> Call:
    return recorded(tenant, flac(SAID), HIDDEN, samples=len(SAID))


@pytest.mark.guarantee("T90")
def test_what_is_redacted_is_silent_in_its_channel_and_all_else_is_the_recording(
    access: Access, supervisor: Person, call: Call
) -> None:
    response = audio(access, supervisor, call)
    assert (response.status_code, response.headers["Content-Type"]) == (200, "audio/wav")
    assert int(response.headers["Content-Length"]) == len(response.content) == WHOLE
    assert np.array_equal(wav_samples(response.content), SILENT)
    assert response.headers["Cache-Control"] == "private, no-store"


@pytest.mark.guarantee("T90")
def test_a_tone_can_stand_there_and_nowhere_else(access: Access, supervisor: Person, call: Call) -> None:
    found = wav_samples(audio(access, supervisor, call, cover="tone").content)
    covered = SILENT == 0
    assert np.array_equal(found[~covered], SAID[~covered])
    [said, heard] = (samples[RATE : 2 * RATE, 1].astype(np.float64) for samples in (SAID, found))
    assert int(np.argmax(np.abs(np.fft.rfft(heard)))) == 1000
    assert np.abs(heard).max() < 1100 < np.abs(said).max()


@pytest.mark.guarantee("T90")
def test_without_redactions_it_is_the_recording(access: Access, tenant: Tenant, supervisor: Person) -> None:
    call = recorded(tenant, flac(SAID), [], samples=len(SAID))
    assert np.array_equal(wav_samples(audio(access, supervisor, call).content), SAID)


@pytest.mark.guarantee("T90")
@pytest.mark.parametrize(
    ("container", "codec", "rate", "channels"),
    [
        ("wav", "pcm_mulaw", 8000, 2),
        ("wav", "pcm_s16le", 11_025, 2),
        ("flac", "flac", 16_000, 1),
        ("mp3", "libmp3lame", 44_100, 2),
        ("ogg", "libopus", 48_000, 1),
    ],
)
def test_an_uploaded_file_is_covered_at_the_rate_and_in_the_channels_that_it_has(
    access: Access, tenant: Tenant, supervisor: Person, container: str, codec: str, rate: int, channels: int
) -> None:
    """What is left is what it decodes to."""
    file = audio_files.encoded(noise(5, channels, rate).tobytes(), rate, channels, container, codec)
    hidden = [(0, 1003, 1501), (channels - 1, 4000, 9000)]
    found = run(probe(MemorySource(file)))
    about = {"sample_rate": rate, "origin": "upload"}
    call = recorded(tenant, file, hidden, samples=found.samples, channels=channels, **about)
    heard = wav_samples(audio(access, supervisor, call).content, rate)
    decoded = np.frombuffer(run(decoded_by_us(file)), "<i2").reshape(-1, channels)
    assert np.array_equal(heard, without(decoded, hidden, rate))
    part = audio(access, supervisor, call, f"bytes={44 + 3 * rate}-{44 + 5 * rate}")
    assert part.content == (heard.tobytes())[3 * rate : 5 * rate + 1]


async def decoded_by_us(file: bytes) -> bytes:
    return b"".join([block.data async for block in decode(MemorySource(file))])


@pytest.mark.guarantee("T91")
@pytest.mark.parametrize("cover", ["silence", "tone"])
def test_a_range_is_exactly_that_part_of_the_whole(
    access: Access, supervisor: Person, call: Call, cover: str
) -> None:
    """In the header, across it, within a sample, within a span, over the seek points, at the end."""
    whole = audio(access, supervisor, call, cover=cover).content
    second = 4 * RATE
    ranges = [
        *((0, 0), (0, 43), (10, 44), (40, 60), (43, 43), (44, 44), (45, 46)),
        *((44 + second - 3, 44 + second + 5), (44 + second + 1, 44 + 2 * second - 2)),
        *((44 + 20 * second - 1, 44 + 20 * second), (44 + 19 * second, 44 + 21 * second)),
        *(
            (44 + 10 * second + 7, 44 + 10 * second + 7),
            (44 + 29 * second + 1, WHOLE - 1),
            (WHOLE - 1, WHOLE),
        ),
    ]
    for first, last in ranges:
        part = audio(access, supervisor, call, f"bytes={first}-{last}", cover=cover)
        assert (part.status_code, part.content) == (206, whole[first : last + 1]), (first, last)
        assert part.headers["Content-Range"] == f"bytes {first}-{min(last, WHOLE - 1)}/{WHOLE}"
    assert audio(access, supervisor, call, "bytes=-5", cover=cover).content == whole[-5:]
    assert audio(access, supervisor, call, f"bytes={WHOLE}-", cover=cover).status_code == 416


@pytest.mark.guarantee("T91")
def test_a_long_range_is_streamed_as_it_is_in_the_whole(
    access: Access, tenant: Tenant, supervisor: Person
) -> None:
    said = noise(60, 2, 48_000)
    hidden = [(0, 100, 4100), (1, 30_000, 31_000)]
    call = recorded(tenant, flac(said, 48_000), hidden, samples=len(said), sample_rate=48_000)
    whole = audio(access, supervisor, call).content
    assert np.array_equal(wav_samples(whole, 48_000), without(said, hidden, 48_000))
    assert audio(access, supervisor, call, "bytes=5000001-").content == whole[5_000_001:]


@pytest.mark.guarantee("T91")
def test_a_range_goes_on_only_with_the_same_bytes(access: Access, supervisor: Person, call: Call) -> None:
    """Another cover, or the recording as it is, is another representation."""
    tag = audio(access, supervisor, call).headers["ETag"]

    def status(**params: str) -> int:
        headers = {"Range": "bytes=0-9", "If-Range": tag}
        with access.client(supervisor.token) as client:
            url = f"/v1/calls/{call.id}/audio"
            return client.get(url, params=REDACTED | params, headers=headers).status_code

    assert [status(), status(cover="tone"), status(view="raw")] == [206, 200, 200]


def test_head_tells_the_size_and_sends_no_byte(access: Access, supervisor: Person, call: Call) -> None:
    with access.client(supervisor.token) as client:
        response = client.head(f"/v1/calls/{call.id}/audio", params=REDACTED)
    assert (response.status_code, response.headers["Content-Length"]) == (200, str(WHOLE))
    assert response.headers["Accept-Ranges"] == "bytes"
    detail = opened(access, response)["detail"]
    assert (detail["method"], detail["view"]) == ("HEAD", "redacted")
