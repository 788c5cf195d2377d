"""Hand out paths one by one, and remember which of them an exception is about.

feed = PathFeed(['a.npy', 'b.npy'])
rows = predict(model, args, feed)        # reads the paths as it comes to them
feed.count_row()                         # after each row
feed.suspects()                          # ['b.npy']: what was being read
"""

from collections.abc import Iterator, Sequence


class PathFeed:
    """An iterator over paths. After an exception it goes on with the next one."""

    def __init__(self, paths: Sequence[str]) -> None:
        self.paths = paths
        self.given = 0  # how many paths were handed out
        self.rows = 0  # of the path that was handed out last
        self._first_open = 0  # the first path of which no row has come

    def __iter__(self) -> Iterator[str]:
        return self

    def __len__(self) -> int:
        """Return how many paths are still to come."""
        return len(self.paths) - self.given

    def __next__(self) -> str:
        if self.is_empty():
            raise StopIteration
        if self.rows:
            self._first_open = self.given
        self.given, self.rows = self.given + 1, 0
        return self.paths[self.given - 1]

    def is_empty(self) -> bool:
        """Return whether all paths were handed out."""
        return not len(self)

    def count_row(self) -> None:
        """Count a row: it is of the path that was handed out last, or of one before it."""
        self.rows += 1

    def suspects(self) -> list[str]:
        """Return the paths that were being read, most often one, and count them as done.

        There are several where they were taken together and no row has come since.
        """
        first = self.given - 1 if self.rows else self._first_open
        paths = list(self.paths[max(0, first) : self.given])
        self._first_open = self.given
        self.rows = 0
        return paths
