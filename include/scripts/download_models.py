"""Bring a model's released files into a folder, by the name that they always had: a thin door to `model-release pull`.

python -m scripts.download_models s3://my-bucket --model heart-disease --version latest --to models
"""

from __future__ import annotations

import argparse
import shutil
import tempfile
from pathlib import Path

from model_release import client
from model_release.documents.layout import join
from model_release.errors import ModelReleaseError


def main() -> None:
    """Pull, and copy the files to where they are looked for: `models/best_model.pkl` and so on."""
    parser = argparse.ArgumentParser(prog="download_models.py", description=__doc__.partition("\n")[0])
    add = parser.add_argument
    add("bucket", help="s3://bucket, gs://bucket, wasb://container@account or a folder; a bare name is a bucket of S3")
    add("--model", default="heart-disease", help="its name; the folder in the bucket is NAME-models")
    add("--version", default="latest", help="latest, or vX.Y.Z")
    add("--to", type=Path, default=Path("models"), help="where the files go")
    options = parser.parse_args()
    root = options.bucket if "://" in options.bucket or Path(options.bucket).exists() else f"s3://{options.bucket}"
    version = None if options.version == "latest" else options.version
    try:
        pulled = client.pull(join(root, f"{options.model}-models"), to=options.to / ".releases", version=version)
    except ModelReleaseError as error:
        raise SystemExit(f"error: {error}") from None
    for source in sorted(pulled.folder.iterdir()):
        with tempfile.TemporaryDirectory(dir=options.to) as scratch:
            new = shutil.copyfile(source, Path(scratch) / source.name)
            Path(new).replace(options.to / source.name)
        print(options.to / source.name)


if __name__ == "__main__":
    main()
