"""Small archives in the form of those that data sets come in."""

import hashlib
import io
import tarfile

from latentlab.data.download import KnownFile


def archive(files):
    """A gzipped tar of names and contents."""
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w:gz") as tar:
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return stream.getvalue()


def known_file(name, content):
    return KnownFile(name, len(content), hashlib.sha256(content).hexdigest())
