"""Downloads from a real server that breaks off, corrupts, stalls, redirects and asks to wait."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
import threading
import time
import zipfile
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from http.server import ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from click.testing import CliRunner

from sercore.cli import cli
from sercore.corpora.download import fetch
from sercore.corpora.download import is_offered
from sercore.corpora.download import needs_consent
from sercore.corpora.interface import CorpusCard
from sercore.corpora.interface import Download
from sercore.corpora.transfer import MOST_CONNECTIONS
from sercore.corpora.transfer import RetryPolicy
from sercore.errors import CorpusError
from sercore.errors import FetchError
from sercore.errors import SettingsError
from sercore.plugins.registry import Registry
from sercore.storage.workspace import Workspace

LICENCE = "CC BY-NC 4.0"
SOUND = np.random.default_rng(0).bytes(300_000)


def zipped(**members):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, data in members.items():
            archive.writestr(name.replace("__", "/"), data)
    return buffer.getvalue()


ARCHIVE = zipped(Speech__a=SOUND, Speech__b=b"sound")


class Handler(BaseHTTPRequestHandler):
    """Serves files, each in the way that the next step of its script says; wholly after that."""

    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def do_GET(self):
        server = self.server
        server.requests.append((self.path, self.headers.get("Range"), self.headers["User-Agent"]))
        script = server.scripts.get(self.path, [])
        step = script.pop(0) if script else {}
        with server.counting():
            self.answer(step)

    def answer(self, step):
        time.sleep(step.get("pause", 0))
        status = step.get("status")
        if status:
            self.send_response(status)
            for name, value in step.get("headers", {}).items():
                self.send_header(name, value)
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        data = step.get("data") or self.server.files[self.path]
        tag = f'"{hashlib.md5(data).hexdigest()}"' if step.get("tag", True) else None
        first = 0
        wanted = self.headers.get("Range")
        if wanted and step.get("ranges", True) and self.headers.get("If-Range", tag) == tag:
            first = int(wanted.removeprefix("bytes=").rstrip("-"))
            if first >= len(data):
                self.send_response(416)
                self.send_header("Content-Range", f"bytes */{len(data)}")
                self.send_header("Content-Length", "0")
                self.end_headers()
                return
            self.send_response(206)
            self.send_header("Content-Range", f"bytes {first}-{len(data) - 1}/{len(data)}")
        else:
            self.send_response(200)
        if tag:
            self.send_header("ETag", tag)
        body = data[first:]
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body[: step.get("send", len(body))])
        self.wfile.flush()
        if "send" in step:
            self.server.stop.wait(step.get("stall", 0))
            self.close_connection = True


@pytest.fixture
def server():
    """Return a server with `files` and `scripts` by path, and what was asked in `requests`."""
    httpd = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    httpd.daemon_threads = True
    httpd.files, httpd.scripts, httpd.requests = {"/speech.zip": ARCHIVE}, {}, []
    httpd.stop, lock = threading.Event(), threading.Lock()
    httpd.busy = httpd.busiest = 0

    @contextmanager
    def counting():
        with lock:
            httpd.busy += 1
            httpd.busiest = max(httpd.busy, httpd.busiest)
        yield
        with lock:
            httpd.busy -= 1

    httpd.counting = counting
    httpd.url = f"http://127.0.0.1:{httpd.server_port}"
    thread = threading.Thread(target=httpd.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield httpd
    httpd.stop.set()
    httpd.shutdown()
    thread.join()
    httpd.server_close()


@pytest.fixture
def place(tmp_path):
    return SimpleNamespace(
        data=tmp_path / "data", workspace=Workspace(tmp_path / "workspace"), waited=[]
    )


def card(server, *names, **digests):
    downloads = [
        Download(filename=name, url=f"{server.url}/{name}", **digests) for name in names
    ] or [Download(filename="speech.zip", url=f"{server.url}/speech.zip", **digests)]
    return card_of(*downloads)


def card_of(*downloads, licence=LICENCE):
    return CorpusCard(
        id="speech", title="Speech", language="x", language_code="und", licence=licence,
        access="open", homepage="https://example.org/speech", citation=None, folders=("Speech",),
        obtain="Ask for it.", expected={}, speakers=None, downloads=downloads,
    )  # fmt: skip


def fetched(card, place, *, attempts=3, stalled_after_s=5.0, accept_licence=True, **options):
    retry = RetryPolicy(
        attempts=attempts,
        first_wait_s=1.0,
        stalled_after_s=stalled_after_s,
        pause=place.waited.append,
    )
    return fetch(
        card,
        place.data,
        place.workspace,
        accept_licence=accept_licence,
        retry=retry,
        **options,
    )


def content(folder):
    return {
        p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()
    }


WHOLE = {"a": SOUND, "b": b"sound"}


def test_a_corpus_is_unpacked_under_its_usual_name_and_nothing_is_left_behind(server, place):
    seen = []

    folder = fetched(card(server), place, progress=lambda *step: seen.append(step))

    assert folder == place.data / "Speech"
    assert content(folder) == WHOLE
    assert [p.name for p in place.data.iterdir()] == ["Speech"]
    assert not list((place.data.parent / "workspace").rglob("speech.zip*"))
    assert seen[-1] == ("speech.zip", len(ARCHIVE), len(ARCHIVE))
    assert "sercore/" in server.requests[0][2]


def test_what_is_here_is_not_downloaded_again(server, place):
    fetched(card(server), place)
    before = len(server.requests)

    assert fetched(card(server), place) == place.data / "Speech"
    assert len(server.requests) == before


def test_a_download_that_breaks_off_goes_on_where_it_was(server, place):
    server.scripts["/speech.zip"] = [{"send": 100_000}, {"send": 50_000}]

    folder = fetched(card(server), place)

    assert content(folder) == WHOLE
    assert [asked for _, asked, _ in server.requests] == [None, "bytes=100000-", "bytes=150000-"]
    assert place.waited == [1.0, 1.0]  # each attempt brought something new


def test_another_call_goes_on_where_the_first_gave_up(server, place):
    server.scripts["/speech.zip"] = [{"send": 100_000}, {"status": 503}, {"status": 503}]

    with pytest.raises(FetchError, match="cannot be downloaded: the server answers 503"):
        fetched(card(server), place, attempts=3)
    assert not place.data.exists()
    folder = fetched(card(server), place)

    assert content(folder) == WHOLE
    assert server.requests[-1][1] == "bytes=100000-"


def test_a_stalled_connection_is_given_up_and_taken_up_again(server, place):
    server.scripts["/speech.zip"] = [{"send": 100_000, "stall": 10}]
    start = time.monotonic()

    folder = fetched(card(server), place, stalled_after_s=0.3)

    assert content(folder) == WHOLE
    assert time.monotonic() - start < 8
    assert server.requests[-1][1] == "bytes=100000-"


def test_a_server_without_ranges_sends_it_all_again(server, place):
    server.scripts["/speech.zip"] = [{"send": 100_000}, {"ranges": False}]

    assert content(fetched(card(server), place)) == WHOLE


def test_parts_of_two_versions_are_never_joined(server, place):
    other = zipped(Speech__a=SOUND[::-1], Speech__b=b"sound")
    server.scripts["/speech.zip"] = [{"data": other, "send": 100_000}]

    assert content(fetched(card(server), place)) == WHOLE


def test_a_part_whose_version_has_no_name_is_not_gone_on_from(server, place):
    server.scripts["/speech.zip"] = [{"send": 100_000, "tag": False}]

    assert content(fetched(card(server), place)) == WHOLE
    assert server.requests[-1][1] is None


@pytest.mark.parametrize("status", [403, 429])
def test_a_server_that_asks_to_wait_is_waited_for(status, server, place):
    refusal = {"status": status}
    server.scripts["/speech.zip"] = [refusal, refusal, refusal | {"headers": {"Retry-After": "7"}}]

    assert content(fetched(card(server), place, attempts=4)) == WHOLE
    assert place.waited == [1.0, 2.0, 7.0]


def test_a_server_that_asks_for_too_long_is_asked_another_day(server, place):
    server.scripts["/speech.zip"] = [{"status": 429, "headers": {"Retry-After": "4000"}}]

    with pytest.raises(FetchError, match="asks to wait 4000 s; run again later"):
        fetched(card(server), place)
    assert place.waited == []


def test_what_is_not_there_is_not_asked_for_again(server, place):
    server.scripts["/speech.zip"] = [{"status": 404}]

    with pytest.raises(FetchError, match="the server answers 404; look up the new address"):
        fetched(card(server), place)
    assert len(server.requests) == 1


def test_redirections_are_followed(server, place):
    server.files["/mirror/it.zip"] = server.files.pop("/speech.zip")
    server.scripts["/speech.zip"] = [{"status": 302, "headers": {"Location": "/mirror/it.zip"}}]

    assert content(fetched(card(server), place)) == WHOLE


@pytest.mark.parametrize(
    ("location", "message"),
    [
        ("http://example.org/speech.zip", "not an https address"),
        ("file:///etc/passwd", "not an https address"),
        ("/speech.zip", "redirects more than 5 times"),
    ],
)
def test_redirections_lead_nowhere_else(location, message, server, place):
    redirection = {"status": 302, "headers": {"Location": location}}
    server.scripts["/speech.zip"] = [redirection] * 10

    with pytest.raises(FetchError, match=message):
        fetched(card(server), place)


@pytest.mark.parametrize("algorithm", ["md5", "sha256"])
def test_a_corrupted_download_is_fetched_anew_once(algorithm, server, place):
    digest = {algorithm: hashlib.new(algorithm, ARCHIVE).hexdigest()}
    corrupt = {"data": ARCHIVE[:500] + bytes(10) + ARCHIVE[510:]}
    server.scripts["/speech.zip"] = [dict(corrupt)]

    assert content(fetched(card(server, **digest), place)) == WHOLE


def test_what_stays_corrupted_is_not_kept(server, place):
    server.files["/speech.zip"] = ARCHIVE[:500] + bytes(10) + ARCHIVE[510:]
    wanted = hashlib.sha256(ARCHIVE).hexdigest()

    with pytest.raises(FetchError, match=f"its publisher states {wanted}; the file was removed"):
        fetched(card(server, sha256=wanted), place)
    assert not place.data.exists()
    assert not list((place.data.parent / "workspace").rglob("speech.zip*"))


def test_the_first_digest_is_recorded_and_later_downloads_must_agree(server, place):
    folder = fetched(card(server), place)
    folder.rename(place.data / "put aside")
    server.files["/speech.zip"] = zipped(Speech__a=b"something else")

    with pytest.raises(FetchError, match="the first download was") as error:
        fetched(card(server), place)

    assert hashlib.sha256(ARCHIVE).hexdigest() in str(error.value)
    assert "--new-version" in str(error.value)
    assert content(fetched(card(server), place, new_version=True)) == {"a": b"something else"}


def test_the_licence_is_shown_and_accepted_once(server, place):
    with pytest.raises(SettingsError, match=rf"accept its licence: {LICENCE} .*--accept-licence"):
        fetched(card(server), place, accept_licence=False)
    assert server.requests == []
    fetched(card(server), place).rename(place.data / "put aside")

    assert content(fetched(card(server), place, accept_licence=False)) == WHOLE
    changed = card_of(*card(server).downloads, licence="all rights reserved")
    (place.data / "Speech").rename(place.data / "put aside too")
    with pytest.raises(SettingsError, match="all rights reserved"):
        fetched(changed, place, accept_licence=False)


def test_no_more_than_two_connections_at_once(server, place):
    names = [f"{letter}.zip" for letter in "abcde"]
    for name in names:
        server.files[f"/{name}"] = zipped(**{name[0]: SOUND})
        server.scripts[f"/{name}"] = [{"pause": 0.15}]

    folder = fetched(card(server, *names), place)

    assert sorted(content(folder)) == list("abcde")
    assert server.busiest == MOST_CONNECTIONS == 2


@pytest.mark.parametrize("name", ["../outside", "/outside", "a/../../outside"])
def test_names_that_lead_outside_are_refused(name, server, place):
    server.files["/speech.zip"] = zipped(**{name: b"x"})

    with pytest.raises(CorpusError, match="outside its folder"):
        fetched(card(server), place)
    assert not list(place.data.parent.rglob("outside"))
    assert not (place.data / "Speech").exists()


def test_a_page_in_place_of_the_archive_is_not_taken_for_it(server, place):
    server.files["/speech.zip"] = b"<html>please sign in</html>"

    with pytest.raises(FetchError, match=r"sends a web page in place of speech\.zip"):
        fetched(card(server), place)
    server.files["/speech.zip"] = ARCHIVE

    assert content(fetched(card(server), place)) == WHOLE


def test_a_missing_address_is_asked_for_once(server, place):
    unknown = card_of(Download(filename="speech.zip"))
    with pytest.raises(SettingsError, match=r"address of speech\.zip .* fetch speech --from URL"):
        fetched(unknown, place)

    fetched(unknown, place, addresses=[f"{server.url}/speech.zip"]).rename(place.data / "aside")

    assert content(fetched(unknown, place)) == WHOLE


def test_addresses_go_to_the_files_that_they_end_in(server, place):
    for name in ("one.zip", "two.zip"):
        server.files[f"/{name}?download=1"] = zipped(**{name[:3]: SOUND})
    both = card_of(Download(filename="one.zip"), Download(filename="two.zip"))
    addresses = [f"{server.url}/{name}?download=1" for name in ("two.zip", "one.zip")]

    assert sorted(content(fetched(both, place, addresses=addresses))) == ["one", "two"]
    with pytest.raises(SettingsError, match="not a file of Speech; its files are one.zip, two.zip"):
        fetched(both, SimpleNamespace(**{**vars(place), "data": place.data / "more"}),
                addresses=["https://example.org/three.zip"])  # fmt: skip


@pytest.mark.parametrize("address", ["http://example.org/speech.zip", "ftp://example.org/x", "x"])
def test_only_https_addresses_are_taken(address, place):
    with pytest.raises(FetchError, match="not an https address"):
        fetched(card_of(Download(filename="speech.zip")), place, addresses=[address])


def test_nothing_goes_to_a_workspace_that_is_elsewhere(server, place):
    elsewhere = SimpleNamespace(**{**vars(place), "workspace": Workspace("memory://x")})

    with pytest.raises(Exception, match="not on this machine"):
        fetched(card(server), elsewhere)


# -- the command ---------------------------------------------------------------------------------


@pytest.fixture
def command(tmp_path):
    def run(*arguments):
        places = ["--data", str(tmp_path / "data"), "--workspace", str(tmp_path / "workspace")]
        return CliRunner().invoke(cli, ["fetch", *arguments, *places])

    return run


def test_the_command_says_how_to_ask_for_what_is_not_offered(command):
    result = command("masc", "demos")

    assert result.exit_code == 3
    assert "masc: MASC (Mandarin Affective Speech) is not offered" in result.stderr
    assert "Linguistic Data Consortium" in result.stderr
    assert "as 'LDC2007S09'" in result.stderr
    assert "demos: " in result.stderr


def test_the_command_shows_the_licence_before_anything_else(command):
    result = command("expresso")

    assert result.exit_code == 3
    assert "accept its licence: CC BY-NC 4.0" in result.stderr
    assert "--accept-licence" in result.stderr


ENTERFACE = "enterface database/subject 1/anger/sentence 1/s1_an_1.avi"


def tarred(name, data):
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        member = tarfile.TarInfo(name)
        member.size = len(data)
        archive.addfile(member, io.BytesIO(data))
    return buffer.getvalue()


def test_the_command_fetches_from_the_address_that_it_is_given(command, server, tmp_path):
    server.files["/files/mirror.zip"] = tarred(ENTERFACE, SOUND)

    address = f"{server.url}/files/mirror.zip"
    result = command("enterface", "--accept-licence", "--from", address, "--json")

    (found,) = json.loads(result.stdout)["corpora"]
    assert result.exit_code == 0
    assert found == {
        "id": "enterface", "status": "here",
        "path": str(tmp_path / "data" / "enterface database"),
        "licence": "free for research purposes only",
        "homepage": "https://enterface.net/enterface05/emotion.html",
        "message": None, "hint": None,
    }  # fmt: skip
    assert list(content(tmp_path / "data" / "enterface database")) == [
        ENTERFACE.removeprefix("enterface database/")
    ]


def test_a_wrong_archive_poisons_nothing(command, server, tmp_path):
    address = f"{server.url}/project2_database.zip"
    arguments = ("enterface", "--accept-licence", "--from", address)
    server.files["/project2_database.zip"] = zipped(photos__beach=SOUND)
    wrong = command(*arguments)
    server.files["/project2_database.zip"] = tarred(ENTERFACE, SOUND)
    right = command(*arguments)

    assert wrong.exit_code == 3
    assert "the downloaded files contain no utterance of eNTERFACE'05" in wrong.stderr
    assert right.exit_code == 0, right.stderr
    assert [path.name for path in (tmp_path / "data").iterdir()] == ["enterface database"]


def test_a_mirror_must_have_the_digest_of_the_publisher(server, place):
    digest = hashlib.sha256(ARCHIVE).hexdigest()
    official = card_of(
        Download(filename="speech.zip", url="https://example.org/speech.zip", sha256=digest)
    )
    server.files["/mirror/other.zip"] = zipped(Speech__a=b"changed")

    with pytest.raises(FetchError, match=f"its publisher states {digest}"):
        fetched(official, place, addresses=[f"{server.url}/mirror/other.zip"])
    server.files["/mirror/other.zip"] = ARCHIVE
    assert content(fetched(official, place, addresses=[f"{server.url}/mirror/other.zip"])) == WHOLE


def test_a_corpus_without_a_public_address_is_fetched_from_any(server, place):
    closed = card_of()
    with pytest.raises(CorpusError, match="Speech is not offered for download"):
        fetched(closed, place)

    assert content(fetched(closed, place, addresses=[f"{server.url}/speech.zip"])) == WHOLE


def test_an_archive_that_is_built_for_every_request_may_change(server, place):
    changing = card_of(
        Download(filename="speech.zip", url=f"{server.url}/speech.zip", is_stable=False)
    )
    fetched(changing, place).rename(place.data / "aside")
    server.files["/speech.zip"] = zipped(Speech__a=SOUND)

    assert content(fetched(changing, place)) == {"a": SOUND}


@pytest.mark.parametrize(
    ("licence", "asks"),
    [("CC0", False), ("CC BY 4.0", False), ("CC-BY-4.0 (record)", False), ("MIT", False),
     ("CC BY-NC 4.0", True), ("CC-BY-NC-SA-4.0", True), ("research only", True), (None, True)],
)  # fmt: skip
def test_only_a_licence_with_conditions_asks_for_consent(licence, asks, server, place):
    corpus = card_of(*card(server).downloads, licence=licence)

    if asks:
        with pytest.raises(SettingsError, match="accept its licence"):
            fetched(corpus, place, accept_licence=False)
    else:
        assert content(fetched(corpus, place, accept_licence=False)) == WHOLE


def test_everything_that_a_user_must_give_is_asked_for_at_once(place):
    corpus = card_of(Download(filename="a.zip"), Download(filename="b.zip"))

    with pytest.raises(SettingsError) as error:
        fetched(corpus, place, accept_licence=False)

    assert f"accept its licence: {LICENCE}" in error.value.message
    assert "the address of a.zip and b.zip is unknown" in error.value.message
    assert "fetch speech --accept-licence --from URL --from URL" in error.value.hint


def zenodo(server, data):
    """A record in the form of Zenodo's interface."""
    return {
        "id": 1478765,
        "files": [
            {
                "key": name,
                "size": len(data),
                "checksum": f"md5:{hashlib.md5(data).hexdigest()}",
                "links": {"self": f"{server.url}/{name}"},
            }
            for name in ("speech.zip", "speech_192k.zip")
        ],
    }


def mendeley(server, data):
    """A list of files in the form of Mendeley Data's interface."""
    return [
        {
            "filename": "speech.zip",
            "size": len(data),
            "content_details": {
                "sha256_hash": hashlib.sha256(data).hexdigest(),
                "download_url": f"{server.url}/speech.zip",
            },
        }
    ]


@pytest.mark.parametrize("form", [zenodo, mendeley])
def test_the_publishers_listing_gives_address_and_digest(form, server, place):
    name = "speech.zip" if form is zenodo else "*"
    listed = card_of(Download(filename=name, listing=f"{server.url}/api"))
    server.files["/api"] = json.dumps(form(server, ARCHIVE)).encode()
    good, server.files["/speech.zip"] = ARCHIVE, zipped(Speech__a=b"not what is listed")

    with pytest.raises(FetchError, match="its publisher states"):
        fetched(listed, place)
    server.files["/speech.zip"] = good
    assert content(fetched(listed, place)) == WHOLE


@pytest.mark.parametrize(
    ("answer", "message"),
    [(b"<html>busy</html>", "is not JSON"), (b"[]", r"has no file speech\.zip")],
)
def test_a_listing_without_the_file_says_so(answer, message, server, place):
    listed = card_of(Download(filename="speech.zip", listing=f"{server.url}/api"))
    server.files["/api"] = answer

    with pytest.raises(FetchError, match=message):
        fetched(listed, place)
    assert content(fetched(listed, place, addresses=[f"{server.url}/speech.zip"])) == WHOLE


def test_redirections_to_another_host_are_followed(server, place):
    other = server.url.replace("127.0.0.1", "localhost")
    server.files["/mirror/it.zip"] = server.files.pop("/speech.zip")
    answer = {"status": 302, "headers": {"Location": f"{other}/mirror/it.zip"}}
    server.scripts["/speech.zip"] = [answer]

    assert content(fetched(card(server), place)) == WHOLE


def test_all_open_corpora_are_named_with_their_sizes_first(monkeypatch, tmp_path):
    asked = []

    def refuse(card, *_, **__):
        asked.append(card.id)
        raise FetchError("no network in this test")

    monkeypatch.setattr("sercore.corpora.download.fetch", refuse)
    result = CliRunner().invoke(cli, ["fetch", "--open", "--data", str(tmp_path)])

    assert sorted(asked) == sorted(OPEN)
    assert "subesco: 1.66 GB, licence: CC-BY-4.0" in result.stderr.partition("no network")[0]
    assert "cafe: unknown size" in result.stderr
    assert result.exit_code == 3


def test_a_corpus_that_cannot_be_had_stops_no_other(data):
    result = CliRunner().invoke(
        cli,
        ["fetch", "mead", "urdu", "--data", str(data), "--workspace", str(data / "ws"), "--json"],
    )

    statuses = {each["id"]: each["status"] for each in json.loads(result.stdout)["corpora"]}
    assert (result.exit_code, statuses) == (3, {"mead": "not offered", "urdu": "here"})


OPEN = {
    "cafe", "emodb", "enterface", "expresso", "meld", "mesd", "resd", "shemo", "subesco",
    "thorsten", "urdu", "ravdess", "tess",
}  # fmt: skip


def test_every_corpus_can_be_fetched_or_says_how_to_ask(command):
    real = [corpus.card for corpus in Registry().corpora if not corpus.card.demo]
    # Those without a condition would be downloaded.
    asked = [card for card in real if not is_offered(card) or needs_consent(card)]

    result = command(*(card.id for card in asked), "--json")

    corpora = json.loads(result.stdout)["corpora"]
    assert len(real) == 26
    assert {card.id for card in real if is_offered(card)} == OPEN
    for card, found in zip(asked, corpora, strict=True):
        assert found["status"] == ("failed" if card.downloads else "not offered")
        wanted = "--accept-licence" if card.downloads else card.obtain
        assert wanted in found["hint"]


@pytest.mark.parametrize("name", sorted(OPEN))
def test_addresses_and_digests_are_those_of_the_reference(name):
    reference = Path(__file__).parent.parent.parent / "shared/reference/addresses.json"
    if not reference.is_file():
        pytest.skip("the reference is not beside the repository")
    facts = json.loads(reference.read_text())
    stated = {**facts["nineteen"], **facts["others"]}[name]["downloads"]
    sizes = {(download["filename"], download["bytes"]) for download in stated}
    digests = {download[kind] for download in stated for kind in ("md5", "sha256")} - {None}

    for download in Registry().corpora.get(name).card.downloads:
        addresses = [value for value in (download.url, download.listing) if value]
        assert all(address.startswith("https://") for address in addresses)
        assert {download.md5, download.sha256} - {None} <= digests
        assert download.listing or (download.filename, download.size) in sizes
