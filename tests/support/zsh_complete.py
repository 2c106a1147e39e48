"""Types a line and a tab into a real zsh on a pseudo terminal, and waits until zsh has completed it.

usage: zsh_complete.py DIRECTORY_OF_EVERKEY LINE COMPLETED
"""

import os
import pty
import select
import sys
import time


def main(directory, line, completed):
    environment = {"PATH": f"{directory}:/usr/bin:/bin", "TERM": "dumb", "EVERKEY_POLICY": "policies", "HOME": os.getcwd()}
    pid, terminal = pty.fork()
    if pid == 0:
        os.execve("/usr/bin/zsh", ["zsh", "-f", "-i"], environment)
    seen = b""

    def until(text):
        nonlocal seen
        end = time.monotonic() + 30
        while text.encode() not in seen:
            if not select.select([terminal], [], [], max(0, end - time.monotonic()))[0]:
                sys.exit(f"zsh did not show {text!r}: {seen!r}")
            seen += os.read(terminal, 65536)

    def type_in(text):
        os.write(terminal, text.encode())

    type_in("PS1= ; unsetopt zle_bracketed_paste; autoload -U compinit; compinit -u -D\n")
    type_in("source <(everkey completions zsh); print rea''dy\n")
    until("ready")
    seen = b""
    type_in(line + "\t")
    # What was typed comes back, and behind it what zsh adds.
    until(completed[len(line):])
    os.close(terminal)
    print(completed)


main(*sys.argv[1:])
