"""Fine-tune the shipped sentiment model on a CSV with the columns ``text`` and ``label`` or ``polarity``."""

import argparse
from pathlib import Path

import suite


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("--out", type=Path, default=Path("my-sentiment"))
    parser.add_argument("--epochs", type=int, default=3)
    arguments = parser.parse_args()
    checkpoint = suite.train(
        "sentiment",
        data=arguments.data,
        out=arguments.out,
        init_from="shipped",
        epochs=arguments.epochs,
        settings={"training.lr": 5e-4},
        say=print,
    )
    metrics = suite.evaluate("sentiment", arguments.data, checkpoint.path)
    print({name: value for name, value in metrics.items() if isinstance(value, float)})


if __name__ == "__main__":
    main()
