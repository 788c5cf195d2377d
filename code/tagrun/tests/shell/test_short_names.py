"""source.sh at real terminals: the loops' own `continue`, and names that are yours already."""

import pytest
from shells import SHELLS, at_both_terminals, in_both, make_project, run

LOOPS = {
    'for i in 1 2 3; do [ $i = 2 ] && continue; echo $i; done': '1\n3\n',
    'for i in 1 2; do if true; then continue; fi; echo no; done': '',
    'for i in 1 2 3; do case $i in 2) continue;; esac; echo $i; done': '1\n3\n',
    'for i in 1 2; do for j in a b; do [ $j = b ] && continue 2; echo $i$j; done; echo '
    'no; done': '1a\n2a\n',
    'n=2; for i in 1 2; do for j in a b; do continue $n; done; echo no; done': '',
    'f() { for i in 1 2 3; do [ $i = 2 ] && continue; echo $i $1; done; echo $#; }; '
    'f x y': '1 x\n3 x\n2\n',
    'seq 3 | while read -r i; do [ $i = 2 ] && continue; echo $i; done': '1\n3\n',
    'while read -r -u 9 i; do [ $i = 2 ] && continue; echo $i; done 9< <(seq 3)': '1\n3\n',
    '. ./later.sh x': '1 x\n3 x\n',
}


@at_both_terminals
def test_the_loops_own_continue_lives_on_even_when_source_sh_is_gone(terminal, project):
    (project / 'later.sh').write_text(
        'for i in 1 2 3; do\n  [ $i = 2 ] && continue\n  echo $i $1\ndone\n'
    )
    assert terminal('. "$S"') == ''
    results = [{loop: terminal(loop) for loop in LOOPS}]
    terminal('set -u')
    results.append({loop: terminal(loop) for loop in LOOPS})
    terminal('rm "$S"')
    results.append({loop: terminal(loop) for loop in LOOPS})
    assert results == [LOOPS] * 3


@at_both_terminals
def test_continue_with_any_other_word_is_the_command(terminal):
    terminal('. "$S"')
    assert (
        terminal("continue t1 --from 'a b'")
        == "CALLED a 'b; c ['continue', 't1', '--from', 'a b']\n"
    )
    assert terminal('continue 2/0') == "CALLED a 'b; c ['continue', '2/0']\n"
    assert terminal('continue 2 --from 3') == "CALLED a 'b; c ['continue', '2', '--from', '3']\n"
    assert (
        terminal('con 2; resume 2')
        == "CALLED a 'b; c ['con', '2']\nCALLED a 'b; c ['resume', '2']\n"
    )


@in_both
def test_a_script_keeps_its_continue_untouched(shell, project):
    done = run(shell, '. "$S"; type continue; for i in 1 2; do continue; done', project)
    assert done.stdout == 'continue is a shell builtin\n'


@at_both_terminals
def test_names_that_are_yours_stay_yours_and_are_told_in_one_line(terminal):
    terminal('title() { echo my title; }')
    terminal("alias re='echo my re' tagrun='echo my tagrun'")
    assert (
        terminal('. "$S"')
        == 'tagrun: already yours, and left alone: re, title (`tagrun <name>` works)\n'
    )
    assert terminal('title') + terminal('re') + terminal('tagrun') == 'my title\nmy re\nmy tagrun\n'
    assert (
        terminal('table') + terminal('\\tagrun title')
        == "CALLED a 'b; c ['table']\nCALLED a 'b; c ['title']\n"
    )


@at_both_terminals
def test_a_continue_of_yours_stays_yours(terminal):
    terminal("alias continue='echo mine'")
    assert (
        terminal('. "$S"')
        == 'tagrun: already yours, and left alone: continue (`tagrun <name>` works)\n'
    )
    assert terminal('continue') == 'mine\n'


@at_both_terminals
def test_sourcing_again_or_another_clone_is_silent_and_binds_anew(terminal, tmp_path):
    other = make_project(tmp_path / 'other')
    assert (
        terminal('. "$S"') + terminal('. "$S"') + terminal(f'. {other}/code/source.sh; cd /') == ''
    )
    assert (
        terminal('run') + terminal('continue t1')
        == "CALLED other ['run']\nCALLED other ['continue', 't1']\n"
    )
    assert terminal('for i in 1 2; do continue; echo no; done') == ''


@pytest.mark.parametrize('terminal', SHELLS[1:], indirect=True)
def test_zsh_with_local_loops_keeps_its_continue(terminal):
    terminal('setopt local_loops; . "$S"')
    assert terminal('for i in 1 2; do continue; echo no; done') == ''
    assert terminal('whence -w continue') == 'continue: builtin\n'


@at_both_terminals
def test_your_aliases_and_functions_for_plain_commands_are_kept_out(terminal):
    terminal(
        "alias cd='echo no' printf='echo no' command='echo no' typeset='echo no'; cd() { echo no; }"
    )
    assert terminal('. "$S"') + terminal('run') == "CALLED a 'b; c ['run']\n"
