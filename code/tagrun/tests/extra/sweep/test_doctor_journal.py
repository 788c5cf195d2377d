"""extra/sweep/doctor_journal.py: what doctor says of the journals of searches."""

from tagrun.extra.sweep import doctor_journal


def test_each_torn_journal_is_a_finding_that_can_be_fixed(tmp_path):
    folder = tmp_path / '__statistic__' / 'search'
    folder.mkdir(parents=True)
    assert list(doctor_journal.find(tmp_path)) == []
    for name, text in (('a', '{}\n'), ('b', '{}\n{'), ('c', '{')):
        (folder / f'{name}.log').write_text(text)
    findings = list(doctor_journal.find(tmp_path))
    assert [finding.where[-5:] for finding in findings] == ['b.log', 'c.log']
    for finding in findings:
        finding.fix()
    assert list(doctor_journal.find(tmp_path)) == []
