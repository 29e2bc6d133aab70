"""Search for a known file: download cache, mirrors, system folders, network.

A file is accepted only if the SHA-256 of its *uncompressed* content is the expected one, because
mirrors compress files again. A file from the network is kept in the cache, so that nothing is
downloaded twice.
"""

import gzip
import hashlib
import io
import time
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from http.client import HTTPException
from pathlib import Path
from typing import final
from urllib.error import HTTPError
from urllib.request import Request, urlopen

from tqdm import tqdm

from latentlab.errors import LatentlabError
from latentlab.files import replacing
from latentlab.site import is_url

TIMEOUT = 30  # seconds without a byte
PAUSES = (1.0, 3.0)  # seconds before the second and the third try
BLOCK = 1 << 20  # bytes read at a time
SLACK = 1 << 20  # bytes that gzip may add to content that it cannot shrink


@final
@dataclass(frozen=True)
class KnownFile:
    """A file whose content is known.

    Attributes:
        name: File name on mirrors, without ``.gz``.
        size: Largest size of the content, bytes; no more are ever unpacked.
        sha256: Digest of the uncompressed content; of an archive, of the archive itself.
        address: URL of this file, tried last.
    """

    name: str
    size: int
    sha256: str
    address: str | None = None

    @property
    def names(self) -> tuple[str, ...]:
        """Possible file names: an archive's own, for other files also with ``.gz``."""
        return (self.name,) if self.is_archive else (self.name, f"{self.name}.gz")

    @property
    def is_archive(self) -> bool:
        """Whether the file is a compressed archive, which is verified as it is."""
        return self.name.endswith((".tgz", ".tar.gz"))


@final
@dataclass(frozen=True)
class SearchPath:
    """Where files are searched, in this order: cache, mirrors, system, official addresses.

    Attributes:
        cache: Folder of earlier downloads.
        mirrors: Folders and URLs given by the user.
        system: Folders where packages of the operating system install data.
        official: URLs of the data set's owners.
        folders: Possible names of the data set's folder inside a mirror.
    """

    cache: Path
    mirrors: Sequence[str]
    system: Sequence[str] = ()
    official: Sequence[str] = ()
    folders: Sequence[str] = ()


def find(file: KnownFile, search: SearchPath) -> bytes:
    """The verified, uncompressed content of a known file, from the first place that has it.

    Raises:
        LatentlabError: If no place has it; the message lists what was tried and what was found.
    """
    tried: list[str] = []
    for address, read in _candidates(file, search, tried):
        try:
            content = _unpacked(read(), file)
            _verify(content, file)
        # A ValueError is an invalid URL, or a Content-Length that is no number.
        except (
            OSError,
            EOFError,
            ValueError,
            zlib.error,
            HTTPException,
            LatentlabError,
        ) as error:
            tried.append(f"{address}: {' '.join(str(error).split())}")
            continue
        if is_url(address):
            with caching(search.cache / file.name) as temporary:
                temporary.write_bytes(content)
        return content
    listed = "\n".join(f"  {line}" for line in tried)
    raise LatentlabError(
        f"{file.name} was not found. Tried:\n{listed}\n"
        "Name a folder or a URL that has it, plain or as .gz, in data.mirrors or in the "
        "environment variable LATENTLAB_MIRRORS (separated by ;). "
        "`dataset: digits` needs no network."
    )


@contextmanager
def caching(path: Path) -> Iterator[Path]:
    """A temporary path that becomes a file or folder of the cache when the block succeeds.

    Raises:
        LatentlabError: If the cache cannot be written to.
    """
    try:
        with replacing(path) as temporary:
            yield temporary
    except OSError as error:
        raise LatentlabError(
            f"{path}: the download cache cannot be written to ({error}); make its folder "
            "writable, or change --cache in dvc.yaml"
        ) from error


def find_folder(name: str, search: SearchPath) -> Path | None:
    """The first folder of this name in the mirrors that are folders, or ``None``."""
    for mirror in search.mirrors:
        for parent in ("", *search.folders):
            folder = Path(mirror) / parent / name
            # A mirror without permission to read counts as empty; ``find`` reports why.
            with suppress(OSError):
                if not is_url(mirror) and folder.is_dir():
                    return folder
    return None


def _candidates(
    file: KnownFile, search: SearchPath, tried: list[str]
) -> Iterator[tuple[str, Callable[[], bytes]]]:
    """Paths and URLs that may have the file, each with a function that reads it.

    Places without the file are appended to ``tried``.
    """
    for place in (str(search.cache), *search.mirrors, *search.system, *search.official):
        if is_url(place):
            for name in reversed(file.names):
                address = f"{place.rstrip('/')}/{name}"
                yield address, partial(_download, address, file.size)
            continue
        paths = [
            Path(place) / folder / name for folder in ("", *search.folders) for name in file.names
        ]
        present = []
        for path in paths:
            try:
                if path.is_file():
                    present.append(path)
            except OSError as error:
                tried.append(f"{path}: {error.strerror}")
        if not present:
            within = ", ".join(search.folders)
            tried.append(f"{place}: no {file.name}" + (f", nor in {within}" if within else ""))
        for path in present:
            yield str(path), path.read_bytes
    if file.address:
        yield file.address, partial(_download, file.address, file.size)


def _unpacked(content: bytes, file: KnownFile) -> bytes:
    """Unpacked gzip, at most one byte more than expected; other content unchanged."""
    if not content.startswith(b"\x1f\x8b") or file.is_archive:
        return content
    with gzip.open(io.BytesIO(content)) as stream:
        unpacked = stream.read(file.size + 1)
        # Reading to the end checks the length and the checksum of the gzip format.
        if len(unpacked) <= file.size and stream.read(1):
            raise LatentlabError("more content than expected")
    return unpacked


def _verify(content: bytes, file: KnownFile) -> None:
    if len(content) > file.size:
        raise LatentlabError(f"more than the {file.size:,} bytes expected")
    found = hashlib.sha256(content).hexdigest()
    if found != file.sha256:
        start = "; it looks like a web page" if content.lstrip()[:1] == b"<" else ""
        raise LatentlabError(
            f"{len(content):,} bytes with SHA-256 {found}, expected {file.sha256}{start}"
        )


def _download(address: str, size: int) -> bytes:
    """Content of a URL; shows progress on a terminal, and retries on network and server errors."""
    for pause in (*PAUSES, None):
        try:
            return _download_once(address, size)
        except HTTPError as error:
            # Only errors of the server itself (5xx) may be gone at the next try.
            if error.code < 500 or pause is None:
                raise
        except (OSError, HTTPException):
            if pause is None:
                raise
        time.sleep(pause)
    raise AssertionError("the last try returns or raises")


def _download_once(address: str, size: int) -> bytes:
    request = Request(address, headers={"User-Agent": "latentlab"})
    with urlopen(request, timeout=TIMEOUT) as response:
        total = int(response.headers.get("Content-Length") or 0)
        content = bytearray()
        with tqdm(total=total, desc=address, unit="B", unit_scale=True, disable=None) as bar:
            while block := response.read(BLOCK):
                content += block
                bar.update(len(block))
                if len(content) > size + SLACK:
                    raise LatentlabError(f"more than the {size:,} bytes expected")
    if total and len(content) < total:
        raise OSError(f"connection closed after {len(content):,} of {total:,} bytes")
    return bytes(content)
