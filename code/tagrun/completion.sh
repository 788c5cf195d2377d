# Completion for bash (4.4 or newer) and zsh (after compinit); an interactive source.sh reads it.
# shellcheck shell=bash
#
#     run wide --set hi<Tab>      continue fir<Tab>      table --sort-by <Tab>      itb @<Tab>
#
# It starts no Python: tags, runs and sets are names of files. One awk reads the options out of the
# sources, or the columns out of the newest finished run's statistic.json. It works with any shell
# option of yours, changes none, and leaves only _tagrun* behind. What it offers may be a name that
# somebody else chose, e.g. a metric of a fetched run: it is quoted, and a name with a control
# character, or that a run or set cannot have, is not offered.


# ---- The words that can follow: for both shells, in a subshell of theirs, one word a line ----

_tagrun_complete() {  # <word so far> <word before it> <command or ''>
    local now=$1 before=$2 command=$3 root
    # source.sh defines both:
    # shellcheck disable=SC2154
    root=$(_tagrun_project "$PWD" || _tagrun_project "$_tagrun_home") || return 0
    case $command in con | resume) command='continue' ;; re) command='rerun' ;; esac
    case $command in expels) command='expls' ;; esac
    case $before:$now in
        --set:* | *=*:*) _tagrun_arguments "$root" ;;
        --weights-from:*) _tagrun_runs "$root/__result__" "$now" ;;
        --from:*)
            if [ "$command" = run ]; then _tagrun_runs "$root/__result__" "$now"
            else _tagrun_words best last; fi
            ;;
        --to:*) _tagrun_sets "$root" ;;
        --search:*) _tagrun_words random tpe ;;
        --prune:*) _tagrun_words median hyperband ;;
        --sort-by:* | --metric:* | --over:* | --by:* | --keep:* | --drop:* | --where:*)
            _tagrun_columns "$root"
            ;;
        --sort-order:*) _tagrun_words asc desc ;;
        --format:*) _tagrun_words csv md latex html json ;;
        *:-*) _tagrun_options "$root" "$command" ;;
        *) _tagrun_names "$root" "$command" "$now" ;;
    esac | _tagrun_matching "$now"
}

_tagrun_names() {  # <project> <command> <word so far>: what a command works on
    case $2:$3 in
        :*) _tagrun_commands "$1" ;;
        # a new name, or a file
        run:* | setup:* | selftest:* | import:* | fetch:*) ;;
        recipe:*) _tagrun_recipes "$1" ;;
        publish:*) _tagrun_words gsheet; _tagrun_sets "$1" ;;
        sweep:*) _tagrun_arguments "$1"; _tagrun_runs "$1/__result__" "$3" ;;
        queue:*) _tagrun_words start stop remove priority logs; _tagrun_runs "$1/__result__" "$3" ;;
        title:* | table:*) _tagrun_sets "$1" ;;
        *:@*) _tagrun_words @last; _tagrun_sets "$1" @ ;;
        report:*) _tagrun_sets "$1"; _tagrun_runs "$1/__result__" "$3" ;;
        *) _tagrun_runs "$1/__result__" "$3" ;;
    esac
}

_tagrun_words() {  # <word> …
    \builtin printf '%s\n' "$@"
}

_tagrun_matching() {  # <word so far>: the lines of the input that begin with it and can be shown
    # not awk -v, which takes a backslash for the begin of an escape; bytes, of any encoding
    _tagrun_now=$1 LC_ALL=C \command awk '
        /[\001-\037\177]/ || /\302[\200-\237]/ { next }
        index($0, ENVIRON["_tagrun_now"]) == 1'
}

_tagrun_nameable() {  # the lines of the input that can name a run or a set (store/names.py)
    LC_ALL=C \command awk '!/^[-.@]/ && !/[^-A-Za-z0-9._+=@\/\200-\377]/'
}

_tagrun_runs() {  # <folder of results> <word so far>: tags, or the runs of the one that is meant
    # a subshell is what we are in
    \builtin cd "$1" 2>/dev/null || return 0
    # no slash after it: that saves ten thousand stats
    set -- "$2"*
    if [ $# = 1 ]; then set -- "$1" "$1"/[0-9]*; fi
    # its only run is what the bare tag means
    if [ $# = 2 ] && [ "${2%/*}" = "$1" ]; then set -- "$1"; fi
    if [ -e "$1" ]; then
        _tagrun_lines "$@" | \command grep -vxF README.md | _tagrun_nameable
    fi
}

_tagrun_lines() {  # <name> …: a line each, without names of two lines, which would look like two
    local name
    case $* in
        *'
'*)
            for name in "$@"; do
                case $name in *'
'*) ;; *) \builtin printf '%s\n' "$name" ;; esac
            done
            ;;
        *) \builtin printf '%s\n' "$@" ;;
    esac
}

_tagrun_sets() {  # <project> [prefix]
    local lists=$1/__statistic__/exper-list prefix=${2-} list
    for list in "$lists"/*.txt; do
        list=${list##*/}
        _tagrun_lines "${list%.txt}"
    done | _tagrun_nameable | \command sed "s/^/$prefix/"
}

_tagrun_recipes() {  # <project>
    local folder
    for folder in "$1"/code/tagrun/recipes/*/; do
        folder=${folder%/}
        \builtin printf '%s\n' "${folder##*/}"
    done
}

_tagrun_commands() {  # <project>: the files that define main(argv)
    local file
    \command find "$1/code/tagrun/command" "$1/code/tagrun/extra" -maxdepth 2 -name '*.py' \
        -exec grep -l '^def main(argv' {} + 2>/dev/null | while \builtin read -r file; do
        file=${file##*/}
        \builtin printf '%s\n' "${file%.py}"
    done
}

# The options of a command are the first words of each call of add_argument, or of `add` for short,
# in its file (`tagrun proof` has a second one in bench/), and in each part whose add_options it
# calls. What is called that is not the name of a file stands for all engines: on_<engine>.py.
_tagrun_options() {  # <project> <command>
    local tool=$1/code/tagrun
    \command find "$tool/command" "$tool/core" "$tool/extra" "$tool/bench" -name '*.py' \
        -exec awk -v command="$2" '
        FNR == 1 { file = FILENAME; sub(/.*\//, "", file); sub(/[.]py$/, "", file); known[file] }
        !inside && !/add/ { next }
        match($0, /[A-Za-z_]*[)]?[.]add_options[(]/) {
            part = substr($0, RSTART, RLENGTH); sub(/[.].*/, "", part)
            parts[file] = parts[file] part " "
        }
        /add_options[(].*training=False/ { alone[file] }
        sub(/^ *add[(]|.*[.]add_argument[(]/, "") { inside = 1; line = "" }
        inside && /SUPPRESS/ { inside = 0 }
        inside {
            line = line $0
            while (match(line, /^[ ,]*["\047]--?[A-Za-z][A-Za-z0-9_-]*["\047]/)) {
                option = substr(line, 1, RLENGTH); gsub(/[ ,"\047]/, "", option)
                options[file] = options[file] option "\n"
                line = substr(line, RLENGTH + 1)
            }
            if (line !~ /^[ ,]*$/) inside = 0
        }
        function show(file,    names, count, i, engine) {
            if (file in shown) return
            shown[file]
            # an evaluation has one process
            if (command in alone) sub(/--nproc\n/, "", options[file])
            printf "%s", options[file]
            count = split(parts[file], names, " ")
            for (i = 1; i <= count; i++)
                if (names[i] in known) show(names[i])
                else for (engine in known) if (engine ~ /^on_/) show(engine)
        }
        END { show(command); print "-h\n--help" }' {} + 2>/dev/null
}

_tagrun_arguments() {  # <project>: the names in config.py, with the = that follows them
    \command sed -n 's/^\([A-Za-z][A-Za-z0-9_]*\) *\(:[^=]*\)\{0,1\}=.*/\1=/p' "$1/code/config.py"
}

_tagrun_columns() {  # <project>: hyperparameters and metrics of the newest finished run
    local run
    run=$(\command tail -n 1 "$1/__statistic__/exper-list/finished.txt" 2>/dev/null) || return 0
    case $run in */../* | ../* | /* | *'
'*) return 0 ;; esac
    LC_ALL=C \command awk '
        /^  "/ { inside = /^  "(hparam|metric)"/ }
        inside && /^    "/ { show(substr($0, 6)) }
        # a key of JSON: its quotes and backslashes are escaped, and so are control characters
        function show(line,    name, char) {
            while ((char = substr(line, 1, 1)) != "\"") {
                if (char == "") return
                if (char == "\\") {
                    line = substr(line, 2)
                    char = substr(line, 1, 1)
                    if (char != "\"" && char != "\\") return
                }
                name = name char
                line = substr(line, 2)
            }
            print name
        }' "$1/__result__/$run/statistic.json"
}


# ---- bash ----

_tagrun_bash() {
    local IFS=$' \t\n' words now tail quote reply replies
    # not COMP_WORDS: bash parts words at = and @, which a tag may have
    _tagrun_read_line "${COMP_LINE:0:COMP_POINT}" || return 0
    if [[ ${words[0]-} == tagrun ]]; then words=("${words[@]:1}"); fi
    replies=$(
        shopt -u failglob nullglob
        set +efu
        _tagrun_complete "$now" "${words[@]: -1}" "${words[0]-}" 2>/dev/null
    )
    COMPREPLY=()
    if [[ -z $replies ]]; then return 0; fi
    while IFS= read -r reply; do
        _tagrun_quote "${reply:${#now}}"
        COMPREPLY+=("$tail$reply")
    done <<<"$replies"
    if [[ ${#COMPREPLY[@]} == 1 && $replies == *= ]]; then compopt -o nospace; fi
}

# Reads a line as bash does, into variables of whoever calls it. words: the words before the last;
# now: the last one, without its quotes; quote: the quote that is open in it; tail: what of it
# readline replaces. It is false where only bash knows what the last word is: $x, a quote that ended.
_tagrun_read_line() {  # <line>
    local line=$1 char next at is_word='' is_known=1
    words=() now='' tail='' quote=''
    for ((at = 0; at < ${#line}; at++)); do
        char=${line:at:1} next=${line:at + 1:1}
        case ${quote:-0}$char in  # 0: no quote is open
            "''" | '""') quote='' is_known='' ;;
            "'"*) now+=$char tail+=$char ;;
            *[\$\`]) is_known='' ;;
            \"\\)
                if [[ $next == [\\\"\$\`] ]]; then now+=$next tail+=$char$next at=$((at + 1))
                else now+=$char tail+=$char; fi
                ;;
            '"'*) now+=$char tail+=$char ;;
            0\\)
                # at the end of the line: a part of what two candidates have in common
                if [[ $next ]]; then now+=$next tail+=$char$next; fi
                at=$((at + 1)) is_word=1
                ;;
            0[\'\"])
                # in the middle of a word
                if [[ $now ]]; then is_known=''; fi
                quote=$char tail='' is_word=1
                ;;
            0[[:space:]])
                if [[ $is_word ]]; then words+=("$now"); fi
                now='' tail='' is_word='' is_known=1
                ;;
            *)
                now+=$char tail+=$char is_word=1
                # readline replaces only what follows the last of these, and a @ with it
                if [[ $char == [@=:] && ${COMP_WORDBREAKS-} == *"$char"* ]]; then
                    tail=${char/[=:]/}
                fi
                ;;
        esac
    done
    [[ $is_known ]]
}

_tagrun_quote() {  # <text>: sets `reply` to what stands for it after what was typed
    reply=$1
    case $quote in
        "'") reply=${reply//\'/"'\''"} ;;
        '"')
            reply=${reply//\\/\\\\} reply=${reply//\"/\\\"} reply=${reply//\$/\\\$}
            # no backslash takes away what a ! means in "…"
            reply=${reply//\`/\\\`} reply=${reply//!/"\"'!'\""}
            ;;
        *) if [[ $reply ]]; then printf -v reply %q "$reply"; fi ;;
    esac
    # readline closes the quote, but not after a character that is one
    if [[ $quote && $reply == *"$quote" ]]; then reply+=$quote; fi
}


# ---- zsh ----

# These lines are zsh, which the linter cannot read: flags of expansions, arrays, zsh's own $PREFIX.
# shellcheck disable=SC2296,SC2086,SC2128,SC2153,SC2203,SC2206,SC1087
_tagrun_zsh() {
    local -a line replies
    # without the quotes that were typed; compadd quotes what it inserts
    line=("${(@Q)words[1,CURRENT-1]}")
    if [[ $line[1] == tagrun ]]; then shift line; fi
    set -- "${(Q)PREFIX}" "${line[-1]-}" "${line[1]-}"
    replies=(${(f)"$(emulate sh; _tagrun_complete "$@" 2>/dev/null)"})
    compadd -S '' -- ${(M)replies:#*=}
    compadd -- ${replies:#*=}
}


# ---- The words that it completes: those of ours ----

_tagrun_bind_completion() {
    local name
    for name in tagrun run continue con resume rerun re record title table expls expels itb; do
        if _tagrun_taken "$name"; then
            :
        elif [ -z "${ZSH_VERSION-}" ]; then
            \builtin complete -o default -F _tagrun_bash "$name"
        elif [ -n "${functions[compdef]-}" ]; then
            compdef _tagrun_zsh "$name"
        fi
    done
}

_tagrun_bind_completion
