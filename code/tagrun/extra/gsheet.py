"""A table of cells in a worksheet of Google Sheets, through gspread with a service account's key, for `tagrun publish gsheet`.

    git config tagrun.gsheet.key ~/keys/sheets.json     the service account's key; outside of the project, readable by you alone
    git config tagrun.gsheet.sheet URL                  the sheet, shared with the account as an editor
    git config tagrun.gsheet.worksheet runs             the worksheet; without it the set's name

    worksheet = opened(repository, 'record'); write(worksheet, rows)

Values are written RAW: Google takes none for a formula, a date or a number that was none. What the key says is in no message but for the
account's address, which one has to share the sheet with. What fails for a moment (429, 5xx, a lost connection) is tried again.
"""
import contextlib
import json
import os
import re
import stat
import sys
from pathlib import Path

from tagrun.command.say import Refusal, quote
from tagrun.store import reading

SCOPE = 'https://www.googleapis.com/auth/spreadsheets'
RETRIES, FACTOR_S, LONGEST_S = 6, 0.5, 60   # after 0, 1, 2, 4, 8, 16 s, or what the answer's Retry-After says, up to a minute
FOR_A_MOMENT = (408, 429, 500, 502, 503, 504)
TIMEOUT_S = (10, 60)                        # to connect, to answer
CELLS = 50_000                              # in one request
REQUIREMENTS = Path(__file__).resolve().parents[2] / 'requirements-gsheet.txt'
SET_UP = '`tagrun publish -h` names the five steps'


def opened(repository, name):
    """The worksheet that git config names, made if it is not there. Raises Refusal, with the cure, where it cannot be had."""
    key = _key(repository, repository.config('gsheet.key'))
    sheet = _sheet_id(repository.config('gsheet.sheet'))
    try:
        import gspread
        from requests.adapters import HTTPAdapter
        from urllib3.util import Retry
    except ModuleNotFoundError:
        raise Refusal(f'this needs the package gspread: {quote(sys.executable)} -m pip install -r {quote(REQUIREMENTS)}') from None
    title = repository.config('gsheet.worksheet') or name
    with understood(key['client_email']):
        client = gspread.service_account_from_dict(key, scopes=[SCOPE])
        client.set_timeout(TIMEOUT_S)
        client.http_client.session.mount('https://', HTTPAdapter(max_retries=Retry(
            RETRIES, backoff_factor=FACTOR_S, backoff_max=LONGEST_S, retry_after_max=LONGEST_S, status_forcelist=FOR_A_MOMENT, allowed_methods=None,
            raise_on_status=False)))
        spreadsheet = client.open_by_key(sheet)
        try:
            worksheet = spreadsheet.worksheet(title)
        except gspread.WorksheetNotFound:
            worksheet = spreadsheet.add_worksheet(title, rows=100, cols=26)
    return worksheet


def write(worksheet, grid, before=()):
    """Make the worksheet hold `grid`, rows of equally many plain values. before: what it is known to hold; only rows that differ are sent."""
    with understood(worksheet.client.auth.service_account_email):
        _make_room(worksheet, len(grid), len(grid[0]))
        same = before if before and len(before[0]) == len(grid[0]) else ()
        changed = [(place, row) for place, row in enumerate(grid, 1) if place > len(same) or same[place - 1] != row]
        for part in _parts(changed, max(1, CELLS // len(grid[0]))):
            worksheet.batch_update([{'range': f'A{first}', 'values': rows} for first, rows in part], value_input_option='RAW')
        if not same or len(before) > len(grid):
            _clear_rest(worksheet, len(grid), len(grid[0]))


def _make_room(worksheet, rows, columns):
    if worksheet.row_count < rows or worksheet.col_count < columns:
        worksheet.resize(max(rows, worksheet.row_count), max(columns, worksheet.col_count))


def _clear_rest(worksheet, rows, columns):
    """What a longer or wider table left below and beside this one. It is cleared last: a reader never sees an empty sheet."""
    from gspread.utils import rowcol_to_a1
    end = rowcol_to_a1(worksheet.row_count, worksheet.col_count)
    rest = ([f'{rowcol_to_a1(rows + 1, 1)}:{end}'] if worksheet.row_count > rows else []) + \
           ([f'{rowcol_to_a1(1, columns + 1)}:{end}'] if worksheet.col_count > columns else [])
    if rest:
        worksheet.batch_clear(rest)


def _parts(changed, most):
    """[[(first row, [row, …]), …], …]: neighbouring rows in one range, at most so many rows in one request."""
    for start in range(0, len(changed), most):
        ranges = []
        for place, row in changed[start:start + most]:
            if ranges and ranges[-1][0] + len(ranges[-1][1]) == place:
                ranges[-1][1].append(row)
            else:
                ranges.append((place, [row]))
        yield ranges


# --- the key, the sheet, the errors ---------------------------------------------------------------------------------


def _key(repository, place):
    """The content of the key's file. Raises Refusal for one that others may read or that git might take."""
    if not place:
        raise Refusal(f'git config tagrun.gsheet.key names no key of a service account: {SET_UP}')
    path = Path(os.path.realpath(repository.root / os.path.expanduser(place)))
    if any(path.is_relative_to(os.path.realpath(folder)) for folder in (repository.root, repository.top, repository.common)):
        raise Refusal(f'the key {quote(path)} lies in the project, where git or a copy may take it along: '
                      'move it out, and git config tagrun.gsheet.key <its place>')
    try:
        mode = os.stat(path).st_mode
        if stat.S_ISREG(mode) and mode & 0o077:
            raise Refusal(f'the key {quote(path)} can be read by others: chmod 600 {quote(path)}')
        key = json.loads(reading.regular(path))
    except OSError as error:
        raise Refusal(f'the key {quote(path)}: {error.strerror}') from None
    except ValueError:
        key = None      # what is in it is not for a message
    if not isinstance(key, dict) or key.get('type') != 'service_account' or not all(isinstance(key.get(name), str) for name in
                                                                                   ('client_email', 'private_key', 'token_uri')):
        raise Refusal(f'{quote(path)} is no key of a service account, which is JSON with "type": "service_account": {SET_UP}')
    return key


def _sheet_id(place):
    """Of a sheet's address, or the id itself. Raises Refusal."""
    if not place:
        raise Refusal(f'git config tagrun.gsheet.sheet names no sheet: {SET_UP}')
    found = re.fullmatch(r'(?:https://docs\.google\.com/spreadsheets/(?:u/\d+/)?d/)?([-_A-Za-z0-9]{20,100})(?:[/?#].*)?', place)
    if not found:
        raise Refusal('git config tagrun.gsheet.sheet is neither the address of a Google sheet (https://docs.google.com/spreadsheets/d/…) nor its id')
    return found[1]


class Temporary(Refusal):
    """Google did not answer, or not now: later it may."""


@contextlib.contextmanager
def understood(account):
    """Makes a sentence of what Google or the network says: no key, no token, no header of a request is in it."""
    import gspread
    import requests
    from google.auth import exceptions
    try:
        yield
    except PermissionError:
        raise Refusal(_denied(account)) from None
    except gspread.SpreadsheetNotFound:
        raise Refusal('Google knows no such sheet: git config tagrun.gsheet.sheet holds its address') from None
    except gspread.exceptions.APIError as error:
        raise _of_answer(error.code, account) from None
    except exceptions.RefreshError as error:
        if error.retryable:
            raise Temporary('Google gives no token now; try again later') from None
        raise Refusal(f'Google does not take the key of {account}: was it deleted, or is this machine\'s clock wrong? {SET_UP}') from None
    except (exceptions.TransportError, requests.RequestException) as error:
        raise Temporary(f'Google Sheets cannot be reached ({type(error).__name__}); the table here is as it was') from None
    except ValueError:
        raise Refusal(f'the key of {account} holds no private key that can be read: {SET_UP}') from None


def _of_answer(code, account):
    if code in (401, 403):
        return Refusal(_denied(account))
    if code == 404:
        return Refusal('Google knows no such sheet: git config tagrun.gsheet.sheet holds its address')
    if code in FOR_A_MOMENT:
        return Temporary(f'Google Sheets is too busy (HTTP {code}), after {RETRIES} tries more; try again later')
    return Refusal(f'Google Sheets does not take the table (HTTP {code})')


def _denied(account):
    return f'Google does not let {account} write there: share the sheet with that address as an editor, and see that the Sheets API is on'
