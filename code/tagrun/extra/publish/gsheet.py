"""A table of cells in a worksheet of Google Sheets, for `tagrun publish gsheet`.

    git config tagrun.gsheet.key ~/keys/sheets.json     a service account's key, outside of the
                                                        project, readable by you alone
    git config tagrun.gsheet.sheet URL                  the sheet, shared with the account
    git config tagrun.gsheet.worksheet runs             the worksheet; without it the set's name

    worksheet = open_worksheet(repository, 'record'); write(worksheet, rows)

The package gspread speaks to Google. Values are written RAW, so Google makes no formula, date or
number of a text. A message has nothing of the key but the account's address, with which you have to
share the sheet. What fails for a moment (429, 5xx, a lost connection) is tried again.
"""

import contextlib
import json
import os
import re
import stat
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tagrun.core.cli.messages import UserError, quote
from tagrun.core.git.repository import Repository
from tagrun.core.project import CODE
from tagrun.store import safe_read

if TYPE_CHECKING:
    from gspread import Client, Worksheet

Cell = bool | int | float | str
Grid = list[list[Cell]]
Range = tuple[int, Grid]  # the number of its first row from 1, and its rows

SCOPE = 'https://www.googleapis.com/auth/spreadsheets'
# after 0, 1, 2, 4, 8, 16 s, or what the answer's Retry-After says, up to a minute
RETRIES, FACTOR_S, MAX_WAIT_S = 6, 0.5, 60
TEMPORARY = (408, 429, 500, 502, 503, 504)
TIMEOUT_S = (10, 60)  # to connect, to answer
MAX_CELLS = 50_000  # in one request
REQUIREMENTS = CODE / 'requirements-gsheet.txt'
SET_UP = '`tagrun publish -h` names the five steps'
UNKNOWN_SHEET = 'Google has no such sheet: git config tagrun.gsheet.sheet holds its address'
SHEET = re.compile(
    r'(?:https://docs\.google\.com/spreadsheets/(?:u/\d+/)?d/)?'
    r'([-_A-Za-z0-9]{20,100})(?:[/?#].*)?'
)


class TemporaryError(UserError):
    """Google did not answer, or not now: later it may."""


def open_worksheet(repository: Repository, name: str) -> 'Worksheet':
    """Return the worksheet that git config names, or of that name; it is made if it is missing.

    Raises UserError, with what to do, where it cannot be had.
    """
    key = _key(repository, repository.config('gsheet.key'))
    sheet = _sheet_id(repository.config('gsheet.sheet'))
    try:
        import gspread
    except ModuleNotFoundError:
        raise UserError(
            f'this needs the package gspread: {quote(sys.executable)} -m pip install -r '
            f'{quote(REQUIREMENTS)}'
        ) from None
    title = repository.config('gsheet.worksheet') or name
    with translated_errors(key['client_email']):
        spreadsheet = _client(key).open_by_key(sheet)
        try:
            return spreadsheet.worksheet(title)
        except gspread.WorksheetNotFound:
            return spreadsheet.add_worksheet(title, rows=100, cols=26)


def _client(key: dict[str, Any]) -> 'Client':
    import gspread
    from requests.adapters import HTTPAdapter
    from urllib3.util import Retry

    client = gspread.service_account_from_dict(key, scopes=[SCOPE])
    client.set_timeout(TIMEOUT_S)
    retry = Retry(
        RETRIES,
        backoff_factor=FACTOR_S,
        backoff_max=MAX_WAIT_S,
        retry_after_max=MAX_WAIT_S,
        status_forcelist=TEMPORARY,
        allowed_methods=None,
        raise_on_status=False,
    )
    client.http_client.session.mount('https://', HTTPAdapter(max_retries=retry))
    return client


def write(worksheet: 'Worksheet', grid: Grid, before: Sequence[list[Cell]] = ()) -> None:
    """Make the worksheet hold `grid`, rows of equally many values.

    before: what it is known to hold; only rows that differ are sent. Raises UserError.
    """
    height, width = len(grid), len(grid[0])
    with translated_errors(worksheet.client.auth.service_account_email):
        _make_room(worksheet, height, width)
        same = before if before and len(before[0]) == width else ()
        changed = [
            (number, row)
            for number, row in enumerate(grid, 1)
            if number > len(same) or same[number - 1] != row
        ]
        for ranges in _requests(changed, max(1, MAX_CELLS // width)):
            worksheet.batch_update(
                [{'range': f'A{first}', 'values': rows} for first, rows in ranges],
                value_input_option='RAW',
            )
        if not same or len(before) > height:
            _clear_rest(worksheet, height, width)


def _make_room(worksheet: 'Worksheet', rows: int, columns: int) -> None:
    if worksheet.row_count < rows or worksheet.col_count < columns:
        worksheet.resize(max(rows, worksheet.row_count), max(columns, worksheet.col_count))


def _clear_rest(worksheet: 'Worksheet', rows: int, columns: int) -> None:
    """Clear what a longer or wider table left below and beside this one.

    It is cleared last, so that a reader never sees an empty sheet.
    """
    from gspread.utils import rowcol_to_a1

    end = rowcol_to_a1(worksheet.row_count, worksheet.col_count)
    ranges = []
    if worksheet.row_count > rows:
        ranges.append(f'{rowcol_to_a1(rows + 1, 1)}:{end}')
    if worksheet.col_count > columns:
        ranges.append(f'{rowcol_to_a1(1, columns + 1)}:{end}')
    if ranges:
        worksheet.batch_clear(ranges)


def _requests(changed: Sequence[tuple[int, list[Cell]]], max_rows: int) -> Iterator[list[Range]]:
    """Yield the ranges of each request: neighbouring rows are one range."""
    for start in range(0, len(changed), max_rows):
        ranges: list[Range] = []
        for number, row in changed[start : start + max_rows]:
            if ranges and ranges[-1][0] + len(ranges[-1][1]) == number:
                ranges[-1][1].append(row)
            else:
                ranges.append((number, [row]))
        yield ranges


# --- the key, the sheet, the errors ---


def _key(repository: Repository, name: str | None) -> dict[str, Any]:
    """Return the content of the key's file.

    Raises UserError for a key that others may read or that git might take.
    """
    if not name:
        raise UserError(f'git config tagrun.gsheet.key names no key of a service account: {SET_UP}')
    path = Path(os.path.realpath(repository.root / os.path.expanduser(name)))
    folders = (repository.root, repository.top, repository.common)
    if any(path.is_relative_to(os.path.realpath(folder)) for folder in folders):
        raise UserError(
            f'the key {quote(path)} lies in the project, where git or a copy may take it along: '
            'move it out, and git config tagrun.gsheet.key <its path>'
        )
    key = _read_json(path)
    if not _is_key(key):
        raise UserError(
            f'{quote(path)} is not a key of a service account, which is JSON with "type": '
            f'"service_account": {SET_UP}'
        )
    return key


def _read_json(path: Path) -> Any:
    """Return the JSON of a file that only its owner may read; None of what is not JSON."""
    try:
        mode = os.stat(path).st_mode
        if stat.S_ISREG(mode) and mode & 0o077:
            raise UserError(f'the key {quote(path)} can be read by others: chmod 600 {quote(path)}')
        return json.loads(safe_read.read_bytes(path))
    except OSError as error:
        raise UserError(f'the key {quote(path)}: {error.strerror}') from None
    except ValueError:
        # a message must not show what it holds
        return None


def _is_key(key: Any) -> bool:
    if not isinstance(key, dict) or key.get('type') != 'service_account':
        return False
    needed = ('client_email', 'private_key', 'token_uri')
    return all(isinstance(key.get(name), str) for name in needed)


def _sheet_id(address: str | None) -> str:
    """Return the id of a sheet's address, or the id itself. Raises UserError."""
    if not address:
        raise UserError(f'git config tagrun.gsheet.sheet names no sheet: {SET_UP}')
    match = SHEET.fullmatch(address)
    if not match:
        raise UserError(
            'git config tagrun.gsheet.sheet is neither the address of a Google sheet '
            '(https://docs.google.com/spreadsheets/d/…) nor its id'
        )
    return match[1]


@contextlib.contextmanager
def translated_errors(account: str) -> Iterator[None]:
    """Make a sentence of what Google or the network answers.

    It holds no key, no token and no header of a request.
    """
    import gspread
    import requests
    from google.auth import exceptions

    try:
        yield
    except PermissionError:
        raise UserError(_denied(account)) from None
    except gspread.SpreadsheetNotFound:
        raise UserError(UNKNOWN_SHEET) from None
    except gspread.exceptions.APIError as error:
        raise _of_answer(error.code, account) from None
    except exceptions.RefreshError as error:
        if error.retryable:
            raise TemporaryError('Google gives no token now; try again later') from None
        raise UserError(
            f'Google does not take the key of {account}: was it deleted, or is this '
            f'machine\'s clock wrong? {SET_UP}'
        ) from None
    except (exceptions.TransportError, requests.RequestException) as error:
        raise TemporaryError(
            f'Google Sheets cannot be reached ({type(error).__name__}); the table here is as it was'
        ) from None
    except ValueError:
        raise UserError(
            f'the key of {account} holds no private key that can be read: {SET_UP}'
        ) from None


def _of_answer(code: int, account: str) -> UserError:
    if code in (401, 403):
        return UserError(_denied(account))
    if code == 404:
        return UserError(UNKNOWN_SHEET)
    if code in TEMPORARY:
        return TemporaryError(
            f'Google Sheets is too busy (HTTP {code}), after {RETRIES} tries more; try again later'
        )
    return UserError(f'Google Sheets does not take the table (HTTP {code})')


def _denied(account: str) -> str:
    return (
        f'Google does not let {account} write there: share the sheet with that address as an '
        'editor, and see that the Sheets API is on'
    )
