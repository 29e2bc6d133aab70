"""Known files: where they are searched, and that a wrong one is never accepted."""

import gzip
import hashlib
import io
import struct
import threading
from contextlib import contextmanager, suppress
from functools import partial
from http.server import BaseHTTPRequestHandler, SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from latentlab.data import download as download
from latentlab.data.download import KnownFile, SearchPath, find, find_folder
from latentlab.errors import LatentlabError

CONTENT = bytes(range(256)) * 40
FILE = KnownFile("images-idx3-ubyte", len(CONTENT), hashlib.sha256(CONTENT).hexdigest())


@pytest.fixture
def search(tmp_path):
    def made(*mirrors, **changes):
        return SearchPath(tmp_path / "cache", tuple(map(str, mirrors)), **changes)

    return made


def mirror(folder, content, name=FILE.name):
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(content)
    return folder


@pytest.fixture
def server(tmp_path):
    """A web server over a folder of its own, with the paths that were requested."""
    root = tmp_path / "www"
    root.mkdir()
    requested = []

    class Handler(SimpleHTTPRequestHandler):
        def log_request(self, *_):
            requested.append(self.path)

        def log_error(self, *_):
            pass

    with serving(partial(Handler, directory=str(root))) as address:
        yield root, address, requested


@contextmanager
def serving(handler):
    """The address of a web server that answers as the handler does."""
    httpd = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=httpd.serve_forever, args=(0.01,))
    thread.start()
    yield f"http://127.0.0.1:{httpd.server_port}"
    httpd.shutdown()
    thread.join()
    httpd.server_close()


@contextmanager
def answering(answer):
    """The address of a web server that answers every question with the same bytes."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            with suppress(OSError):  # the client may have heard enough before the end
                self.wfile.write(answer)

        def log_message(self, *_):
            pass

    with serving(Handler) as address:
        yield address


def test_plain_and_gzipped_files_are_found(search, tmp_path):
    assert find(FILE, search(mirror(tmp_path / "plain", CONTENT))) == CONTENT
    packed = mirror(tmp_path / "packed", gzip.compress(CONTENT), f"{FILE.name}.gz")
    assert find(FILE, search(packed)) == CONTENT


def test_a_mirror_may_have_the_data_set_in_a_folder(search, tmp_path):
    mirror(tmp_path / "m" / "MNIST" / "raw", CONTENT)
    assert find(FILE, search(tmp_path / "m", folders=("mnist", "MNIST/raw"))) == CONTENT


def test_the_order_is_cache_mirrors_system_network(search, tmp_path, server):
    """A place is tried only when those before it do not have the file."""
    root, address, requested = server
    mirror(root, CONTENT)
    system = mirror(tmp_path / "system", CONTENT)
    assert find(FILE, search(tmp_path / "none", system=(str(system),), official=(address,)))
    assert requested == []
    assert find(FILE, search(tmp_path / "none", official=(address,))) == CONTENT
    assert requested == [f"/{FILE.name}.gz", f"/{FILE.name}"]
    assert (tmp_path / "cache" / FILE.name).read_bytes() == CONTENT
    assert find(FILE, search(official=(address,))) == CONTENT
    assert len(requested) == 2


DAMAGED = {
    "one flipped byte": (FILE.name, CONTENT[:100] + b"\xff" + CONTENT[101:], "with SHA-256"),
    "truncated gzip": (f"{FILE.name}.gz", gzip.compress(CONTENT)[:-9], "ended before"),
    "damaged gzip": (f"{FILE.name}.gz", gzip.compress(CONTENT)[:50] + b"\0" * 30, ""),
    "web page": (
        f"{FILE.name}.gz",
        b"<!doctype html><title>404</title>",
        "it looks like a web page",
    ),
    "lying header": (FILE.name, struct.pack(">4i", 2051, 999, 28, 28) + CONTENT[16:], "SHA-256"),
    "gzip bomb": (
        f"{FILE.name}.gz",
        gzip.compress(bytes(50_000_000)),
        "more than the 10,240 bytes",
    ),
    "more behind": (FILE.name, CONTENT + b"x", "more than the 10,240 bytes"),
    "empty": (FILE.name, b"", "0 bytes with SHA-256"),
}


@pytest.mark.parametrize(("name", "content", "reason"), DAMAGED.values(), ids=DAMAGED)
def test_a_damaged_mirror_is_reported_and_the_next_place_is_tried(
    name, content, reason, search, tmp_path
):
    bad = mirror(tmp_path / "bad", content, name)
    with pytest.raises(LatentlabError, match="was not found") as caught:
        find(FILE, search(bad))
    assert f"{bad / name}: " in str(caught.value)
    assert reason in str(caught.value)
    good = mirror(tmp_path / "good", CONTENT)
    assert find(FILE, search(bad, good)) == CONTENT
    assert not (tmp_path / "cache").exists()


def test_a_good_file_in_the_cache_stays_good(search, tmp_path):
    cached = mirror(tmp_path / "cache", CONTENT)
    bad = mirror(tmp_path / "bad", CONTENT[::-1])
    assert find(FILE, search(bad)) == CONTENT
    assert (cached / FILE.name).read_bytes() == CONTENT


def test_a_damaged_cache_is_replaced_from_the_network(search, tmp_path, server):
    root, address, _ = server
    mirror(root, gzip.compress(CONTENT), f"{FILE.name}.gz")
    mirror(tmp_path / "cache", CONTENT[:-1])
    assert find(FILE, search(official=(address,))) == CONTENT
    assert (tmp_path / "cache" / FILE.name).read_bytes() == CONTENT


def test_a_wrong_file_is_never_cached(search, tmp_path, server):
    root, address, _ = server
    mirror(root, gzip.compress(CONTENT[:-1]), f"{FILE.name}.gz")
    with pytest.raises(LatentlabError, match="was not found"):
        find(FILE, search(official=(address,)))
    assert not (tmp_path / "cache").exists()


def test_a_broken_connection_is_retried(search, monkeypatch, server):
    """Half of the content under the full length, twice; then all of it."""
    root, address, _ = server
    mirror(root, CONTENT)
    monkeypatch.setattr(download, "PAUSES", (0.0, 0.0))
    real, calls = download.urlopen, []

    def breaking(request, timeout):
        response = real(request, timeout=timeout)
        calls.append(request.full_url)
        if len(calls) < 3:
            content = response.read()[:100]
            response.read = io.BytesIO(content).read
        return response

    monkeypatch.setattr(download, "urlopen", breaking)
    assert find(FILE, search(official=(address,))) == CONTENT
    assert calls == 3 * [f"{address}/{FILE.name}"]


OK = b"HTTP/1.0 200 OK\r\n"
BAD_RESPONSES = {
    "no web server": (b"SSH-2.0-OpenSSH\r\n\r\n", "SSH-2.0"),
    "length that is no number": (OK + b"Content-Length: abc\r\n\r\n", "abc"),
    "broken chunks": (
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nabc",
        "IncompleteRead",
    ),
    "endless header": (OK + b"X: " + b"a" * 100_000 + b"\r\n\r\n", "more than 65536 bytes"),
    "redirection to no address": (
        b"HTTP/1.0 302 Found\r\nLocation: http://[x\r\n\r\n",
        "Invalid IPv6 URL",
    ),
}


@pytest.mark.parametrize(("answer", "reason"), BAD_RESPONSES.values(), ids=BAD_RESPONSES)
def test_a_bad_response_is_reported_and_the_next_place_is_tried(
    answer, reason, search, tmp_path, monkeypatch
):
    monkeypatch.setattr(download, "PAUSES", (0.0,))
    good = mirror(tmp_path / "good", CONTENT)
    with answering(answer) as address:
        with pytest.raises(LatentlabError, match="was not found") as caught:
            find(FILE, search(address))
        (line,) = (line for line in str(caught.value).splitlines() if f"{FILE.name}: " in line)
        assert line.startswith(f"  {address}/{FILE.name}: ")
        assert reason in line
        assert find(FILE, search(address, good)) == CONTENT


BAD_PLACES = {
    "no host": "http://[x",
    "no port": "http://localhost:abc",
    "label too long": f"http://{'a' * 80}.com",
    "not ASCII": "http://127.0.0.1:1/é",
    "name too long": "x" * 300,
}


@pytest.mark.parametrize("place", BAD_PLACES.values(), ids=BAD_PLACES)
def test_an_invalid_place_is_reported_and_the_next_is_tried(place, search, tmp_path, monkeypatch):
    monkeypatch.setattr(download, "PAUSES", (0.0,))
    with pytest.raises(LatentlabError, match="was not found") as caught:
        find(FILE, search(place))
    assert f"  {place}" in str(caught.value)
    good = mirror(tmp_path / "good", CONTENT)
    assert find(FILE, search(place, good)) == CONTENT


def test_a_place_without_permission_is_reported_and_the_next_is_tried(
    search, tmp_path, monkeypatch
):
    """Root may read everything, so the refusal of the system is simulated."""
    forbidden, good = tmp_path / "forbidden", mirror(tmp_path / "good", CONTENT)
    (good / "lfw_funneled").mkdir()

    def refusing(check):
        def checked(path, **options):
            if path.is_relative_to(forbidden):
                raise PermissionError(13, "Permission denied", str(path))
            return check(path, **options)

        return checked

    for name in ("is_file", "is_dir"):
        monkeypatch.setattr(Path, name, refusing(getattr(Path, name)))
    with pytest.raises(LatentlabError, match=f"{forbidden / FILE.name}: Permission denied"):
        find(FILE, search(forbidden))
    assert find(FILE, search(forbidden, good)) == CONTENT
    assert find_folder("lfw_funneled", search(forbidden, good)) == good / "lfw_funneled"


def test_a_download_that_is_too_large_is_stopped(search):
    left = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.end_headers()
            try:
                for _ in range(64):
                    self.wfile.write(bytes(1 << 20))
            except OSError:
                left.append(self.path)

        def log_message(self, *_):
            pass

    with (
        serving(Handler) as address,
        pytest.raises(LatentlabError, match="more than the 10,240 bytes expected"),
    ):
        find(FILE, search(address))
    assert left == [f"/{FILE.name}.gz", f"/{FILE.name}"]


def test_the_scheme_of_a_url_may_be_upper_case(search, server):
    root, address, _ = server
    mirror(root, CONTENT)
    assert find(FILE, search(address.replace("http", "HTTP"))) == CONTENT


def test_a_cache_that_cannot_be_written_to_is_refused(search, tmp_path, server):
    root, address, _ = server
    mirror(root, CONTENT)
    (tmp_path / "cache").write_text("a file")
    with pytest.raises(LatentlabError, match=r"cache cannot be written to .*--cache"):
        find(FILE, search(address))


def test_the_error_lists_every_place_and_what_to_do(search, tmp_path):
    with pytest.raises(LatentlabError) as caught:
        find(FILE, search(tmp_path / "m", system=("/usr/share/nothing",), folders=("mnist",)))
    text = str(caught.value)
    for part in (
        f"{tmp_path / 'cache'}: no images-idx3-ubyte, nor in mnist",
        f"{tmp_path / 'm'}: no images-idx3-ubyte",
        "/usr/share/nothing: no images-idx3-ubyte",
        "data.mirrors",
        "LATENTLAB_MIRRORS",
        "`dataset: digits` needs no network",
    ):
        assert part in text


def test_an_archive_is_verified_without_unpacking(search, tmp_path):
    content = gzip.compress(CONTENT, mtime=0)
    file = KnownFile("set.tgz", len(content), hashlib.sha256(content).hexdigest())
    assert find(file, search(mirror(tmp_path / "m", content, "set.tgz"))) == content


def test_folders_are_found_in_mirrors_only(search, tmp_path):
    (tmp_path / "m" / "lfw_home" / "lfw_funneled").mkdir(parents=True)
    found = find_folder("lfw_funneled", search("http://x", tmp_path / "m", folders=("lfw_home",)))
    assert found == tmp_path / "m" / "lfw_home" / "lfw_funneled"
    assert find_folder("lfw_funneled", search(tmp_path / "other")) is None
