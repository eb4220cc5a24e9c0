"""Transcribe a microphone while you speak, or with ``--wav FILE`` a recording as if it were spoken now."""

import argparse
from collections.abc import Iterator
from pathlib import Path

import numpy as np

import suite
from suite.codecs.audio_parsers import WavParser

PIECE_SECONDS = 0.1


def microphone(rate: int) -> Iterator[np.ndarray]:
    """Pieces of a tenth of a second, until Ctrl-C."""
    import sounddevice

    with sounddevice.InputStream(samplerate=rate, channels=1, dtype="float32") as device:
        while True:
            yield device.read(round(PIECE_SECONDS * rate))[0][:, 0]


def recording(path: Path) -> tuple[int, Iterator[np.ndarray]]:
    """The rate of a WAV, and pieces of a tenth of a second."""
    ((samples, rate),) = WavParser().feed(path.read_bytes())
    size = round(PIECE_SECONDS * rate)
    return rate, (samples[at : at + size] for at in range(0, len(samples), size))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--wav", type=Path, help="a recording instead of the microphone")
    arguments = parser.parse_args()
    rate, pieces = recording(arguments.wav) if arguments.wav else (16_000, microphone(16_000))
    with suite.stream("speech", sample_rate=rate) as session:
        try:
            for piece in pieces:
                for update in session.feed(piece):
                    print(update.text if update.whole else f"… {update.text}", flush=True)
        except KeyboardInterrupt:
            pass
        print(session.finish().text)


if __name__ == "__main__":
    main()
