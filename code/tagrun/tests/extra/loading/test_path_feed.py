"""path_feed.py: which file an exception is about."""

from tagrun.extra.loading.path_feed import PathFeed

PATHS = list('abcdefg')


def read(feed, bad, take=1, rows=2):
    """Read as a predict.py would: `take` files together, and then `rows` rows of each."""
    while not feed.is_empty():
        together = [next(feed) for _ in range(min(take, len(feed)))]
        if bad in together:
            raise ValueError
        for _ in range(rows * len(together)):
            feed.count_row()


def suspects(feed, *words, **options):
    try:
        read(feed, *words, **options)
    except ValueError:
        return feed.suspects()
    return None


def test_read_one_by_one_the_file_is_known_and_the_rest_follows():
    feed = PathFeed(PATHS)
    assert suspects(feed, 'c') == ['c'] and feed.given == 3
    assert suspects(feed, 'd') == ['d']
    assert suspects(feed, 'g') == ['g']
    assert feed.is_empty() and list(feed) == []


def test_a_file_that_fails_after_some_rows_is_known_with_their_number():
    feed = PathFeed(PATHS)
    assert next(feed) == 'a'
    feed.count_row()
    assert next(feed) == 'b'
    feed.count_row()
    feed.count_row()
    assert feed.rows == 2 and feed.suspects() == ['b']


def test_files_that_were_taken_together_are_all_named():
    feed = PathFeed(PATHS)
    assert suspects(feed, 'd', take=3) == ['d', 'e', 'f']
    assert suspects(feed, 'g', take=3) == ['g']


def test_files_without_a_row_are_named_with_the_next_bad_one():
    feed = PathFeed(PATHS)
    assert suspects(feed, 'c', rows=0) == ['a', 'b', 'c']
    assert suspects(feed, 'd', rows=0) == ['d']


def test_its_length_is_what_is_still_to_come():
    feed = PathFeed(PATHS)
    next(feed)
    assert len(feed) == 6 and len(list(feed)) == 6 and len(feed) == 0
