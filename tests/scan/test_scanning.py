"""The table of a scan is what `run` says, in one order, and the same however often the scan was ended."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

pytest.importorskip("pyarrow")

import pyarrow.parquet as pq

from edgecvar.bundle.default import default_bundle, default_clip
from edgecvar.bundle.manifest import open_bundle
from edgecvar.errors import BundleError, ConfigError
from edgecvar.run.event_settings import EventSettings
from edgecvar.run.events import EventTracker
from edgecvar.run.model import load
from edgecvar.scan.ledger import Ledger
from edgecvar.scan.output import ledger_file
from edgecvar.scan.scanning import scan
from edgecvar.scan.settings import ScanConfig, gpus_of, work_of, workers_of
from edgecvar.scan.sources import find_listed
from edgecvar.scan.values import Counts, Job, Listed, Seen
from edgecvar.scan.worker import do_job, enter_worker
from edgecvar.workers import Died
from tests.moving_clip import moving_clip
from tests.scan.here import HerePool
from tests.scan.scanned import listing, rows, scanned
from tests.tiny_bundle import tiny_bundle


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Five videos, one of them none, in two folders."""
    folder = tmp_path_factory.mktemp("archive")
    (folder / "b").mkdir()
    for number, name in enumerate(("c.mp4", "a.mp4", "b/z.mp4", "b/=cmd,\n\x1b[31m.mp4")):
        moving_clip(folder / name, 60 + 10 * number, restless=True)
    (folder / "b" / "broken.mp4").write_bytes(b"no video")
    return folder


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    return tiny_bundle(tmp_path)


def test_rows_are_what_a_run_decides_and_what_a_tracker_tells(tmp_path: Path) -> None:
    output = tmp_path / "seen.parquet"
    scanned(default_bundle(), [default_clip()], output)
    with load(threads=1) as model:
        tracker = EventTracker(model.labels, EventSettings())
        decisions, events = [], []
        for decision in model.run(str(default_clip()), top=1):
            decisions.append(decision)
            events += tracker.decision(decision)
        events = [event for event in [*events, *tracker.finish()] if event.end_seconds is not None]
    found = [row for row in rows(output) if row["kind"] == "decision"]
    assert [(row["seconds"], row["label"], row["score"], row["picture"]) for row in found] == [
        (each.pts_seconds, each.label, each.probability, each.display_index) for each in decisions
    ]
    found = [row for row in rows(output) if row["kind"] == "event"]
    assert len(found) > 3
    told = [(each.number, each.label, each.start_seconds, each.end_seconds, each.peak) for each in events]
    names = ("number", "label", "seconds", "end_seconds", "score")
    assert sorted(tuple(row[name] for name in names) for row in found) == sorted(told)


def test_rows_are_by_source_and_time_whatever_was_done_first(archive: Path, bundle: Path, tmp_path: Path) -> None:
    class Backwards(HerePool):
        def each(self, work, jobs, enter):
            enter(lambda: False)
            for job in reversed(list(jobs)):
                yield job, work(job)

    forth, back = tmp_path / "forth.parquet", tmp_path / "back.parquet"
    scanned(bundle, [archive], forth)
    scanned(bundle, [archive / "b", archive], back, Backwards())
    assert forth.read_bytes() == back.read_bytes()
    places = [(row["source"], row["seconds"]) for row in rows(forth)]
    assert places == sorted(places)
    assert len({source for source, _ in places}) == 4


def test_one_that_cannot_be_read_is_counted_and_the_others_are_there(archive: Path, bundle: Path, tmp_path: Path):
    output = tmp_path / "seen.parquet"
    summary = scanned(bundle, [archive, archive / "absent.mp4"], output)
    assert summary is not None
    assert [Path(name).name for name, _ in summary.failures] == ["absent.mp4", "broken.mp4"]
    failed = {Path(row["source"]).name: row["failure"] for row in listing(output) if row["failure"]}
    assert "no such file" in failed["absent.mp4"] and "broken.mp4" in failed["broken.mp4"]
    assert len(listing(output)) == 6
    assert any("=cmd,\n\x1b[31m" in row["source"] for row in rows(output))  # a name is data


@pytest.mark.parametrize("after", range(5))
def test_a_scan_that_is_ended_goes_on(after: int, archive: Path, bundle: Path, tmp_path: Path) -> None:
    class Ended(HerePool):
        def each(self, work, jobs, enter):
            for number, done in enumerate(super().each(work, jobs, enter)):
                if number == after:
                    raise KeyboardInterrupt
                yield done

    once, again = tmp_path / "once.parquet", tmp_path / "again.parquet"
    scanned(bundle, [archive], once)
    with pytest.raises(KeyboardInterrupt):
        scanned(bundle, [archive], again, Ended())
    assert not again.exists()
    pool = HerePool()
    scanned(bundle, [archive], again, pool)
    assert again.read_bytes() == once.read_bytes()
    finished = after - (after > 2)  # the third, which is no video, is tried again
    assert len(pool.jobs) == 5 - finished


def test_a_finished_scan_is_not_begun_again_and_one_with_failures_tries_those(
    archive: Path, bundle: Path, tmp_path: Path
) -> None:
    whole, output = tmp_path / "whole.parquet", tmp_path / "seen.parquet"
    assert scanned(bundle, [archive / "a.mp4"], whole) is not None
    assert not ledger_file(whole).exists()
    assert scanned(bundle, [archive / "a.mp4"], whole, None) is None
    folder = tmp_path / "clips"
    folder.mkdir()
    shutil.copyfile(archive / "a.mp4", folder / "a.mp4")
    (folder / "b.mp4").write_bytes(b"no video")
    first = scanned(bundle, [folder], output)
    assert first is not None and len(first.failures) == 1 and ledger_file(output).exists()
    shutil.copyfile(archive / "c.mp4", folder / "b.mp4")
    pool = HerePool()
    second = scanned(bundle, [folder], output, pool)
    assert second is not None and second.failures == [] and second.before == 1
    assert [Path(job.source.name).name for job in pool.jobs] == ["b.mp4"]
    assert not ledger_file(output).exists()


def test_other_settings_are_refused_until_told_to_begin_anew(archive: Path, bundle: Path, tmp_path: Path) -> None:
    output = tmp_path / "seen.parquet"
    scanned(bundle, [archive], output)  # one fails, so its ledger stays
    with pytest.raises(ConfigError, match="every unset, not 5"):
        scanned(bundle, [archive], output, every=5)
    scanned(bundle, [archive], output, every=5, overwrite=True)
    finished = tmp_path / "finished.parquet"
    scanned(bundle, [archive / "a.mp4"], finished)
    for arguments in (([archive / "c.mp4"], {}), ([archive / "a.mp4"], {"every": 5})):
        with pytest.raises(ConfigError, match=r"is there, with .*--overwrite"):
            scanned(bundle, arguments[0], finished, **arguments[1])
    (tmp_path / "mine.parquet").write_text("a table of mine")
    with pytest.raises(ConfigError, match="no table of a scan"):
        scanned(bundle, [archive / "a.mp4"], tmp_path / "mine.parquet")


def test_a_file_that_changes_is_scanned_again(archive: Path, bundle: Path, tmp_path: Path) -> None:
    folder, output = tmp_path / "clips", tmp_path / "seen.parquet"
    folder.mkdir()
    shutil.copyfile(archive / "a.mp4", folder / "a.mp4")
    (folder / "b.mp4").write_bytes(b"no video")
    scanned(bundle, [folder], output)
    shutil.copyfile(archive / "c.mp4", folder / "a.mp4")
    pool = HerePool()
    scanned(bundle, [folder], output, pool)
    assert len(pool.jobs) == 2


def test_a_job_whose_process_dies_is_tried_again_and_not_for_ever(archive: Path, bundle: Path, tmp_path: Path) -> None:
    died = []

    def spoil(job, result):
        name = Path(job.source.name).name
        if name == "a.mp4" and len(died) < 2:
            died.append(name)
            return Died()
        return Died() if name == "c.mp4" else result

    output, sound = tmp_path / "seen.parquet", tmp_path / "sound.parquet"
    pool = HerePool(spoil)
    summary = scanned(bundle, [archive / "a.mp4", archive / "c.mp4"], output, pool)
    assert len(died) == 2 and len(pool.jobs) == 6
    assert summary is not None and "died 3 times" in summary.failures[0][1]
    scanned(bundle, [archive / "a.mp4"], sound)
    assert rows(output) == rows(sound)


def test_a_ledger_is_held_by_one_scan_and_text_in_its_place_is_refused(bundle: Path, tmp_path: Path) -> None:
    with Ledger(tmp_path / "a.ledger", {}), pytest.raises(ConfigError, match="another scan is at work"):
        Ledger(tmp_path / "a.ledger", {}).__enter__()
    (tmp_path / "b.ledger").write_text("not one " * 200)
    with pytest.raises(ConfigError, match=r"b\.ledger"):
        Ledger(tmp_path / "b.ledger", {}).__enter__()


def test_tables_say_what_they_are_of(archive: Path, bundle: Path, tmp_path: Path) -> None:
    output = tmp_path / "seen.parquet"
    scanned(bundle, [archive], output, every=3)
    document = json.loads(pq.read_schema(output).metadata[b"edgecvar"])
    assert (document["table"], document["every"]) == ("rows", 3)
    others = json.loads(pq.read_schema(tmp_path / "seen.sources.parquet").metadata[b"edgecvar"])
    assert others == {**document, "table": "sources"}
    assert document["bundle"] == open_bundle(bundle).manifest.seal
    assert document["labels"] == ["left", "right", "still"]


def test_a_worker_that_finds_another_bundle_ends_the_scan(archive: Path, bundle: Path, tmp_path: Path) -> None:
    class Elsewhere(HerePool):
        def each(self, work, jobs, enter):
            shutil.rmtree(bundle)
            tiny_bundle(tmp_path, stride=3)
            yield from super().each(work, jobs, enter)

    with pytest.raises(BundleError, match="another bundle lies there"):
        scanned(bundle, [archive], tmp_path / "seen.parquet", Elsewhere())
    assert not (tmp_path / "seen.parquet").exists()


def test_workers_know_who_signed_the_bundle(
    archive: Path, bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Asked(Exception):
        pass

    def ask(opened, choice):
        raise Asked(opened.signed_by)

    monkeypatch.setattr("edgecvar.scan.worker.make_runner", ask)
    config = ScanConfig(sources=[str(archive)], output=tmp_path / "seen.parquet")
    for signer in ("mine", None):  # engines of nobody's that lie beside a bundle are loaded without a signer alone
        opened = replace(open_bundle(bundle), signed_by=signer)
        with pytest.raises(Asked, match=str(signer)):
            scan(config, opened, find_listed(config.sources), HerePool())


def test_reasons_and_names_that_are_no_utf8_are_text(archive: Path, bundle: Path, tmp_path: Path) -> None:
    def spoil(job, result):
        return replace(result, counts=replace(result.counts, unsplit="no\udcff"), failure="why\udcff")

    (tmp_path / "clips").mkdir()
    shutil.copyfile(archive / "a.mp4", tmp_path / "clips" / "a\udcff.mp4")
    output = tmp_path / "seen.parquet"
    summary = scanned(bundle, [tmp_path / "clips"], output, HerePool(spoil))
    assert summary is not None
    ((name, why),) = summary.failures
    assert (name, why) == (f"{tmp_path}/clips/a\\udcff.mp4", "why\\udcff")
    assert summary.unsplit == {name: "no\\udcff"}
    assert [(each["source"], each["unsplit"]) for each in listing(output)] == [(name, "no\\udcff")]


def test_a_ledger_that_is_at_work_is_not_begun_anew(archive: Path, bundle: Path, tmp_path: Path) -> None:
    output = tmp_path / "seen.parquet"
    with Ledger(ledger_file(output), {}), pytest.raises(ConfigError, match="another scan is at work"):
        scanned(bundle, [archive / "a.mp4"], output, overwrite=True)
    assert ledger_file(output).exists()
    ledger_file(output).write_text("not one " * 200)
    assert scanned(bundle, [archive / "a.mp4"], output, overwrite=True) is not None


def test_a_worker_that_cannot_begin_ends_the_scan_with_its_reason(
    archive: Path, bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(opened, choice):
        raise RuntimeError("no room for the engine")

    monkeypatch.setattr("edgecvar.scan.worker.make_runner", refuse)
    enter_worker(work_of(ScanConfig(sources=["a"], output="a.parquet"), open_bundle(bundle)), lambda: False)
    with pytest.raises(RuntimeError, match="no room for the engine"):
        do_job(Job(Listed(str(archive / "a.mp4"))))


def test_many_small_tables_come_to_the_same(
    archive: Path, bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain, joined = tmp_path / "plain.parquet", tmp_path / "joined.parquet"
    scanned(bundle, [archive], plain)
    monkeypatch.setattr("edgecvar.scan.output.TABLES_AT_ONCE", 2)
    scanned(bundle, [archive], joined)
    assert plain.read_bytes() == joined.read_bytes()


def test_one_process_has_the_device_of_tensorrt(bundle: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def asked(**more):
        return workers_of(ScanConfig(sources=["a"], output="a.parquet", **more), open_bundle(bundle))

    config = ScanConfig(sources=["a"], output="a.parquet")
    assert (asked(), asked(workers=3), gpus_of(config, open_bundle(bundle))) == (None, 3, 0)
    monkeypatch.setattr("edgecvar.scan.settings.resolve", lambda opened, choice: ("trt", "fp16"))
    assert (asked(), asked(ray="auto"), gpus_of(config, open_bundle(bundle))) == (1, None, 1)
    with pytest.raises(ConfigError, match="takes one process"):
        asked(workers=3)


def test_a_ledger_of_other_sources_is_not_gone_on_with(archive: Path, bundle: Path, tmp_path: Path) -> None:
    output, first, second = tmp_path / "seen.parquet", tmp_path / "first", tmp_path / "second"
    for folder, name in ((first, "a.mp4"), (second, "c.mp4")):
        folder.mkdir()
        shutil.copyfile(archive / name, folder / name)
        (folder / "broken.mp4").write_bytes(b"no video")
    scanned(bundle, [first], output)
    before = output.read_bytes()
    for sources in ([second], [first, second], [first / "a.mp4"]):
        with pytest.raises(ConfigError, match=rf'ledger: .* has sources \["{first}"\], not \["{sources[-1]}"\]'):
            scanned(bundle, sources, output)
    assert output.read_bytes() == before and ledger_file(output).exists()
    (first / "broken.mp4").unlink()
    shutil.copyfile(archive / "c.mp4", first / "new.mp4")
    pool = HerePool()
    again = scanned(bundle, [f"{first}/"], output, pool)  # the same argument; what lies there may change
    assert again is not None and (again.sources, again.before, len(pool.jobs)) == (2, 1, 1)
    assert not ledger_file(output).exists()


def test_no_file_but_a_scans_own_is_replaced_unasked(archive: Path, bundle: Path, tmp_path: Path) -> None:
    output, sources = tmp_path / "seen.parquet", tmp_path / "seen.sources.parquet"
    sources.write_text("a table of mine")
    with pytest.raises(ConfigError, match=r"seen\.sources\.parquet: is there, and no table of a scan"):
        scanned(bundle, [archive], output)
    assert sources.read_text() == "a table of mine" and not output.exists() and not ledger_file(output).exists()
    sources.unlink()
    scanned(bundle, [archive], sources)
    with pytest.raises(ConfigError, match=r"seen\.sources\.parquet: is there, and no table of sources"):
        scanned(bundle, [archive], output)
    scanned(bundle, [archive], output, overwrite=True)  # leaves a ledger
    shutil.copyfile(sources, output)
    with pytest.raises(ConfigError, match=r"seen\.parquet: is there, and no table of rows"):
        scanned(bundle, [archive], output)


def test_a_sources_table_alone_is_made_again_where_it_is_of_the_same(archive: Path, bundle: Path, tmp_path: Path):
    output = tmp_path / "seen.parquet"
    scanned(bundle, [archive / "a.mp4"], output)
    output.unlink()
    with pytest.raises(ConfigError, match=r"is there, with every unset, not 5"):
        scanned(bundle, [archive / "a.mp4"], output, every=5)
    assert scanned(bundle, [archive / "a.mp4"], output) is not None and output.exists()


def test_a_worse_try_takes_nothing_of_a_better_one(tmp_path: Path) -> None:
    source, changed = Listed("a.mp4", "1"), Listed("a.mp4", "2")
    long, short = Seen(b"long", Counts(decisions=5), "broke off"), Seen(b"short", Counts(), "not there")
    with Ledger(tmp_path / "a.ledger", {}) as ledger:
        ledger.add(source, long)
        ledger.add(source, short)
        assert ledger.seen(source) == replace(long, failure="not there")
        ledger.add(changed, short)
        assert ledger.seen(changed) == short
        ledger.add(changed, long)
        assert ledger.seen(changed) == long
        ledger.add(changed, replace(short, failure=""))
        assert ledger.seen(changed) == replace(short, failure="")
