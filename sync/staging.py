"""Pages on a phone: staged as they come, taking effect together with the one that is complete.

A kill or a cut costs one page at most, and what is shown was at every moment a state the server had.
Staged pages are read back one by one: the memory a reading needs doesn't grow with its length.
"""

from collections.abc import Iterator
from typing import Literal

from sync.entries import Key, SeenHere
from sync.outcomes import send_log_again
from sync.phone import STAGED, Phone
from sync.wire import Page

Taken = Literal["staged", "complete", "ignored", "unusable"]
"""unusable: no page that this protocol could mean; ask again later."""


def take_page(phone: Phone, page: Page, cursor: str | None, serial: int) -> Taken:
    """One page, which answered the request of that serial, made with that cursor."""
    meta = phone.meta
    # 1. Only the page that answers what is asked now; during a recovery, none.
    if meta.recovering or meta.must_push or cursor != meta.reading_from:
        return "ignored"
    if not _makes_sense(page, cursor):
        return "unusable"
    # 2. A page of another epoch: nothing of it counts before a push has asked what happened.
    if page.epoch != meta.epoch:
        return _suspect(phone)
    # 3. A feed whose past isn't the one we read: the server was restored, and nobody told it. The log goes
    # again, also where no count betrays a loss (a new replica id counts from zero); then the feed is read anew.
    if not meta.push_checked and any(reset.reason == "mark" for reset in page.reset):
        phone.forget_bases()
        send_log_again(phone)
        return _suspect(phone)
    # 4. Keep it; a complete one lets everything staged take effect. What was to be read anew is in its cursor.
    meta.reread = []
    if not page.unchanged:
        _stage(phone, page, cursor)
    if not (page.complete or page.unchanged):
        return "staged"
    _take_effect(phone, page.epoch)
    _lift_what_arrived(phone, serial)
    return "complete"


def _makes_sense(page: Page, cursor: str | None) -> bool:
    if page.unchanged:
        return cursor is not None
    return page.cursor is not None and (page.complete or page.cursor != cursor)


def _suspect(phone: Phone) -> Taken:
    phone.discard_staged()
    if phone.meta.push_checked:
        # A push found nothing wrong, and yet the page is of another epoch: ask again at the next sync.
        phone.meta.pull_off, phone.meta.push_checked = True, False
        return "unusable"
    phone.meta.must_push = True
    return "ignored"


def _stage(phone: Phone, page: Page, cursor: str | None) -> None:
    meta = phone.meta
    if not meta.staged_pages:
        meta.from_beginning = cursor is None
    phone.store.put(STAGED, f"{meta.staged_pages:08d}", page.model_dump(mode="json", exclude_defaults=True))
    meta.staged_pages += 1
    meta.staged_cursor = page.cursor


def _take_effect(phone: Phone, epoch: str) -> None:
    meta = phone.meta
    cursor, replaces_all = meta.reading_from, meta.from_beginning
    if replaces_all:
        phone.copies.wipe()
    digests: dict[int, int] = {}
    lost = False
    for page in _staged(phone):
        _apply(phone, page, digests)
        lost = lost or bool(page.lost)
    if lost or replaces_all:
        _strip_seen(phone)
    phone.discard_staged()
    meta.cursor, meta.copies_epoch = cursor, epoch
    meta.push_checked = False
    _compare(phone, digests)


def _staged(phone: Phone) -> Iterator[Page]:
    """One page in memory at a time, and gone from the store once it is applied."""
    for place, kept in phone.store.scan(STAGED):
        yield Page.model_validate(kept)
        phone.store.delete(STAGED, place)


def _apply(phone: Phone, page: Page, digests: dict[int, int]) -> None:
    """What is lost or reset goes before what comes. Of each feed the latest digest counts."""
    for feed in page.lost:
        phone.copies.leave(feed)
    for reset in page.reset:
        phone.copies.drop(reset.feed)
    for gained in page.gained:
        phone.copies.follow(gained)
    for feed in [*page.lost, *(reset.feed for reset in page.reset), *(one.feed for one in page.gained)]:
        digests.pop(feed, None)
    phone.copies.apply(page.changes)
    digests.update(page.digests)


def _compare(phone: Phone, digests: dict[int, int]) -> None:
    """A feed whose copies don't add up is read a second time, once a sync."""
    meta = phone.meta
    for number, digest in digests.items():
        phone.copies.expect(number, digest)
        feed = phone.copies.feed(number)
        if feed and feed.differs and number not in meta.reread_asked:
            meta.reread.append(number)
            meta.reread_asked.append(number)
            meta.rereads += 1


def _lift_what_arrived(phone: Phone, serial: int) -> None:
    """The copies hold the effect of what was acknowledged before this page was asked for."""
    meta = phone.meta
    for entry in phone.entries.marked("settled"):
        if entry.answer_serial <= serial:
            phone.entries.put(entry.model_copy(update={"on_top": False}))
    if meta.wanted_since is not None and meta.wanted_since < serial:
        meta.wanted_since = None
    meta.completed_at = phone.seams.now()


def _strip_seen(phone: Phone) -> None:
    """What only a lost feed showed of others' records stays nowhere on this phone."""
    followed = {feed.feed for feed in phone.copies.feeds()} | {0}
    for entry in phone.entries.all():
        if any(seen.feed not in followed for seen in entry.seen):
            kept = [one for seen in entry.seen if (one := _still_seen(phone, seen, followed))]
            phone.entries.put(entry.model_copy(update={"seen": kept}))


def _still_seen(phone: Phone, seen: SeenHere, followed: set[int]) -> SeenHere | None:
    """Where another feed lists the record, what is seen there too; a masked value isn't."""
    if seen.feed in followed:
        return seen
    copy = phone.copies.find(Key(seen.collection, seen.home, seen.record))
    if copy is None:
        return None
    fields = {name: value for name, value in seen.fields.items() if copy.fields.get(name) == value}
    return seen.model_copy(update={"fields": fields, "feed": copy.feed})
