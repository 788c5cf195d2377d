"""A made-up secret of each kind, as it stands in a file: {kind: (the text around it, the secret)}.

Each is put together from parts, so that no scanner takes this file for one that holds secrets.
"""

HEX = '0a1b2c3d4e5f6789'
WORD = 'Zk3vT9qLw2XbN7rJc5Yd8MfH4sPgA6uE'
LOWER = 'zk3vt9qlw2xbn7rjc5yd8mfh4spga6ue'
SEVERAL = WORD * 9
LINES = 12  # of a private key's body


def hexadecimal(size):
    return (HEX * 16)[:size]


def word(size):
    return SEVERAL[:size]


def private_key(kind):
    body = '\n'.join(SEVERAL[number : number + 64] for number in range(LINES))
    return f'-----BEGIN {kind}-----\n{body}\n{word(40)}==\n-----END {kind}-----'


def key(kind=''):
    return private_key(f'{kind} PRIVATE'.strip() + ' KEY')


UUID = '0a1b2c3d-4e5f-6789-0a1b-2c3d4e5f6789'
# {kind: (before, the secret)}; what is before may be needed to know it
KINDS = {
    'aws key id': ('', 'AKIA' + 'Z3VT9QLW2XBN7RJC'),
    'aws secret key': ('aws_secret_access_key = ', word(18) + '/' + word(12) + '+' + word(8)),
    'gcp api key': ('', 'AIza' + word(35)),
    'gcp oauth secret': ('', 'GOC' + 'SPX-' + word(28)),
    'azure storage key': ('AccountName=abc;AccountKey=', word(32) + word(32) + word(22) + '=='),
    'azure client secret': ('', 'k3v8' + 'Q~' + word(34)),
    'github token': ('', 'gh' + 'p_' + word(36)),
    'github oauth token': ('', 'gh' + 'o_' + word(36)),
    'github fine-grained token': ('', 'github' + '_pat_' + word(22) + '_' + word(59)),
    'gitlab token': ('', 'gl' + 'pat-' + word(20)),
    'hugging face token': ('', 'h' + 'f_' + 'aBcDeFgHiJkLmNoPqRsTuVwXyZaBcDeFgH'),
    'openai key': ('', 's' + 'k-' + word(48)),
    'openai project key': ('', 's' + 'k-proj-' + word(120)),
    'anthropic key': ('', 's' + 'k-ant-api03-' + word(93) + 'AA'),
    'slack token': ('', 'xo' + 'xb-' + '1234567890123-1234567890123-' + word(24)),
    'slack webhook': (
        'https://hooks.slack.' + 'com/services/',
        'T0' + 'Z3VT9QLW' + '/B0' + 'XBN7RJC5' + '/' + word(24),
    ),
    'discord token': ('', 'M' + word(24)[:23] + '.' + 'GxYz12' + '.' + word(38)),
    'discord webhook': (
        'https://discord.' + 'com/api/webhooks/',
        '123456789012345678/' + word(68),
    ),
    'telegram token': ('', '1234567890' + ':AA' + word(33)),
    'stripe key': ('', 's' + 'k_live_' + word(24)),
    'sendgrid key': ('', 'S' + 'G.' + word(22) + '.' + word(43)),
    'twilio key': ('', 'S' + 'K' + hexadecimal(32)),
    'npm token': ('', 'np' + 'm_' + word(36)),
    'pypi token': ('', 'py' + 'pi-AgEIcHlwaS5vcmc' + word(80)),
    'docker hub token': ('', 'dckr' + '_pat_' + word(27)),
    'cloudflare token': ('CLOUDFLARE_API_TOKEN=', word(32) + word(8)),
    'digitalocean token': ('', 'dop' + '_v1_' + hexadecimal(64)),
    'heroku key': ('HEROKU_API_KEY=', UUID),
    'databricks token': ('', 'da' + 'pi' + hexadecimal(32)),
    'wandb key': ('WANDB_API_KEY=', hexadecimal(40)),
    'comet key': ('COMET_API_KEY=', word(25)),
    'neptune token': ('', 'eyJhcGlf' + 'YWRkcmVzcyI6' + word(90) + '=='),
    'mailgun key': ('', 'ke' + 'y-' + hexadecimal(32)),
    'mailchimp key': ('', hexadecimal(32) + '-us' + '12'),
    'square token': ('', 'sq0' + 'atp-' + word(22)),
    'shopify token': ('', 'shp' + 'at_' + hexadecimal(32)),
    'vault token': ('', 'hv' + 's.' + word(90)),
    'jwt': ('', 'ey' + 'J' + word(30) + '.ey' + 'J' + word(60) + '.' + word(43)),
    'rsa key': ('', key('RSA')),
    'ec key': ('', key('EC')),
    'openssh key': ('', key('OPENSSH')),
    'pkcs8 key': ('', key()),
    'pgp key': ('', private_key('PGP PRIVATE' + ' KEY BLOCK')),
    'password in a url': ('postgres://train:', 'hunter' + '2-' + 'Zk3v'),
    'basic auth': ('Authorization: Basic ', 'dHJhaW46' + 'aHVudGVyMi1aazN2'),
    'bearer token': ('Authorization: Bearer ', word(40)),
    'connection string': ('Server=db.lab;User Id=me;Password=', 'hunter' + '2-' + 'Zk3v'),
    'key by its name': ('api_key = ', word(32)),
}
AFTER = {'password in a url': '@db.lab:5432/runs', 'connection string': ';Encrypt=true'}


def text(kind):
    """Return the secret with what stands before and after it."""
    before, secret = KINDS[kind]
    return before + secret + AFTER.get(kind, '')


def parts(kind):
    """Return the pieces of which not one may be left: the lines of a private key."""
    secret = KINDS[kind][1]
    return [line for line in secret.splitlines() if not line.startswith('-----')]
