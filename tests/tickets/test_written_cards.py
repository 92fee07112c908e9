"""The worker keeps job-card.html in the folders; nothing takes it for a file of the job."""

from __future__ import annotations

from pathlib import Path

import pytest

from indexer.check import check_storage
from printsys.config import ROOT, Settings
from printsys.domain.status import Status
from printsys.jobstore.files import list_files, odd_entries, signature
from printsys.jobstore.layout import JOB_CARD
from printsys.services import Services, build_services
from printsys.worker.job_cards import JobCards
from tests.factories import act, make_job
from tests.openness.reader import verify


@pytest.fixture
def services(tmp_path: Path) -> Services:
    """Without a database: the folders say which jobs there are."""
    settings = Settings(
        storage=tmp_path / "storage",
        instance=tmp_path / "instance",
        lab_config=ROOT / "lab.toml",
        secret_key="a secret for these tests",
        base_url="http://lab.example:5000",
    )
    built = build_services(settings, enqueue=lambda job_id: None)
    built.store.layout.make()
    return built


@pytest.fixture
def cards(services: Services) -> JobCards:
    return JobCards(services)


def test_a_card_is_written_where_none_is_and_follows_the_job(services: Services, cards: JobCards) -> None:
    job = make_job(services.store, status=Status.PRINTING)
    assert list(cards.owing()) == [job.id]
    cards.attend(job.id)
    assert "Printing" in (job.folder / JOB_CARD).read_text("utf-8") and list(cards.owing()) == []
    finished = act(services.store, job.id, "complete")
    assert list(cards.owing()) == [job.id]
    cards.attend(job.id)
    assert "Completed" in (finished.folder / JOB_CARD).read_text("utf-8")


def test_a_card_that_says_what_the_job_says_is_left_alone(services: Services, cards: JobCards) -> None:
    job = make_job(services.store)
    cards.attend(job.id)
    before = (job.folder / JOB_CARD).stat()
    JobCards(services).attend(job.id)
    assert (job.folder / JOB_CARD).stat() == before


def test_computers_of_one_lab_that_are_set_up_differently_do_not_write_over_each_other(
    services: Services, cards: JobCards
) -> None:
    job = make_job(services.store)
    cards.attend(job.id)
    before = (job.folder / JOB_CARD).stat()
    settings = services.settings.model_copy(update={"base_url": "https://elsewhere.example"})
    other = JobCards(build_services(settings, enqueue=lambda job_id: None))
    assert list(other.owing()) == []
    other.attend(job.id)
    assert (job.folder / JOB_CARD).stat() == before


def test_a_card_of_a_later_format_is_left_alone_and_one_of_an_earlier_written_anew(
    services: Services, cards: JobCards, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = make_job(services.store)
    cards.attend(job.id)
    earlier = (job.folder / JOB_CARD).read_bytes()
    with monkeypatch.context() as patch:
        patch.setattr("printsys.tickets.job_card.CARD_FORMAT", 2)
        later = JobCards(services)
        assert list(later.owing()) == [job.id]
        later.attend(job.id)
        assert list(later.owing()) == [] and (job.folder / JOB_CARD).read_bytes() != earlier
    assert list(JobCards(services).owing()) == []


@pytest.mark.parametrize("mishap", ["deleted", "saved over", "edited"])
def test_a_card_that_somebody_spoiled_comes_back(services: Services, cards: JobCards, mishap: str) -> None:
    job = make_job(services.store)
    cards.attend(job.id)
    card, written = job.folder / JOB_CARD, (job.folder / JOB_CARD).read_bytes()
    if mishap == "deleted":
        card.unlink()
    else:
        card.write_bytes(b"My own notes." if mishap == "saved over" else written.replace(b"Jane", b"Anna"))
    assert list(cards.owing()) == [job.id]
    cards.attend(job.id)
    assert card.read_bytes() == written


def test_a_folder_in_its_place_is_left_to_people(services: Services, cards: JobCards) -> None:
    job = make_job(services.store)
    (job.folder / JOB_CARD).mkdir()
    assert list(cards.owing()) == []
    cards.attend(job.id)
    assert (job.folder / JOB_CARD).is_dir()


def test_a_job_that_is_gone_is_no_trouble(cards: JobCards) -> None:
    cards.attend("k7m29xq4")


def test_a_card_is_no_file_of_the_job(services: Services, cards: JobCards) -> None:
    job = make_job(services.store, status=Status.COMPLETED)
    before = signature(job.folder), list(list_files(job.folder)), list(odd_entries(job.folder))
    cards.attend(job.id)
    assert (signature(job.folder), list(list_files(job.folder)), list(odd_entries(job.folder))) == before
    assert check_storage(services.store, deep=True) == []
    verdict = verify(services.store.layout.root)
    assert (verdict.report["findings"], verdict.report["remarks"]) == ([], [])
    assert services.store.load(job.id).job.revision == job.job.revision
