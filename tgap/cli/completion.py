"""Tab completion: each shell's script, and what it is told when it asks.

Click knows the commands, the flags and their values. Its scripts are not used, because they cannot
complete ``key=value``: bash breaks words at ``=``, zsh puts a space behind ``selector=``, fish cuts
values off at a comma, and none of them offers files behind ``dataset.path=``.
"""

import os

import click
from click.shell_completion import (
    CompletionItem,
    ShellComplete,
    add_completion_class,
    split_arg_string,
)

VARIABLE = "_TGAP_COMPLETE"
"""The environment variable by which a script asks; its name is click's."""


@add_completion_class
class LineCompletion(ShellComplete):
    """What may stand in place of a line's last word: a word a line, nothing where files may."""

    name = "line"
    source_template = ""

    def get_completion_args(self) -> tuple[list[str], str]:
        """The words behind ``tgap`` up to the cursor: those that are finished, and the last one."""
        finished, _, word = os.environ["COMP_LINE"].rpartition(" ")
        return split_arg_string(finished)[1:], word

    def format_completion(self, item: CompletionItem[str]) -> str:
        """The whole word; one that ends in ``=``, ``.`` or ``/`` goes on."""
        return item.value if item.type == "plain" else ""


_BASH = r"""
_tgap() {
    local line=${COMP_LINE:0:COMP_POINT} head= text
    local word=${line##* }
    # Readline replaces only what follows the last of its word breaks, "=" among them.
    if [[ $COMP_WORDBREAKS == *=* && $word == *=* ]]; then head=${word%"${word##*=}"}; fi
    COMPREPLY=()
    while IFS= read -r text; do
        [[ $text ]] || continue
        [[ $text == *[=./] ]] || text+=' '
        COMPREPLY+=("${text#"$head"}")
    done < <(_TGAP_COMPLETE=line_complete COMP_LINE=$line "$1" 2>/dev/null)
}
complete -o nospace -o default -F _tgap tgap
"""
_ZSH = r"""
(( $+functions[compdef] )) || { autoload -Uz compinit && compinit }
_tgap() {
    local -a found
    found=("${(@f)$(_TGAP_COMPLETE=line_complete \
        COMP_LINE="${(j: :)words[1,CURRENT-1]} $PREFIX" "$words[1]" 2>/dev/null)}")
    found=(${found:#})
    if (( $#found )); then
        compadd -S '' -- ${(M)found:#*[=./]}
        compadd -- ${found:#*[=./]}
    else
        compset -P '*='
        _files
    fi
}
compdef _tgap tgap
"""
_FISH = r"""
function __tgap_complete
    set -l words (commandline -opc)
    set -l word (commandline -ct)
    set -l line (string join ' ' -- $words $word)
    set -l found (env _TGAP_COMPLETE=line_complete COMP_LINE="$line" $words[1] 2>/dev/null \
        | string match -v '')
    if test (count $found) -gt 0
        printf '%s\n' $found
    else
        set -l key (string match -r -- '^[^=]*=' $word)
        for file in (__fish_complete_path (string replace -- "$key" '' $word))
            printf '%s%s\n' "$key" $file
        end
    end
end
complete -c tgap -f -a '(__tgap_complete)'
"""
SCRIPTS = {"bash": _BASH.lstrip(), "zsh": _ZSH.lstrip(), "fish": _FISH.lstrip()}
"""Each offers the words that it is told, or files if there are none."""


@click.command
@click.argument("shell", type=click.Choice(tuple(SCRIPTS)))
def completion(shell: str) -> int:
    """Print a shell's script for tab completion.

    In bash: eval "$(tgap completion bash)".
    """
    print(SCRIPTS[shell], end="")
    return 0
