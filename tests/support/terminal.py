"""Runs a command under a pseudo terminal and answers its prompt.

usage: terminal.py ANSWER PROGRAM ARG...
ANSWER is typed (with Enter) when "[y/N]" appears; "ctrl-c" sends that key instead; "wait:TEXT" sends it when TEXT
appears after "y"; "reply:PROMPT=TEXT|PROMPT=TEXT" types each text when its prompt appears, in that order.
TERMINAL_COLUMNS in the environment makes the terminal so wide. All that the terminal showed goes to standard output;
the exit code is the command's.
"""
import fcntl
import os
import pty
import struct
import sys
import termios

answer, command = sys.argv[1], sys.argv[2:]
pid, terminal = pty.fork()
if pid == 0:
    columns = os.environ.pop("TERMINAL_COLUMNS", None)
    if columns:
        fcntl.ioctl(1, termios.TIOCSWINSZ, struct.pack("HHHH", 50, int(columns), 0, 0))
    os.execv(command[0], command)
shown = b""
prompted = interrupted = False
replies = [pair.split("=", 1) for pair in answer[6:].split("|")] if answer.startswith("reply:") else []
unanswered = b""
while True:
    try:
        data = os.read(terminal, 65536)
    except OSError:
        break
    if not data:
        break
    shown += data
    unanswered += data
    if replies and replies[0][0].encode() in unanswered:
        typed = replies.pop(0)[1]
        unanswered = b""
        os.write(terminal, b"\x03" if typed == "ctrl-c" else typed.encode() + b"\n")
    if not prompted and b"[y/N]" in shown and not answer.startswith("reply:"):
        prompted = True
        if answer == "ctrl-c":
            os.write(terminal, b"\x03")
        elif answer.startswith("wait:"):
            os.write(terminal, b"y\n")
        else:
            os.write(terminal, answer.encode() + b"\n")
    if answer.startswith("wait:") and not interrupted and answer[5:].encode() in shown:
        interrupted = True
        os.write(terminal, b"\x03")
_, status = os.waitpid(pid, 0)
sys.stdout.buffer.write(shown)
sys.exit(os.waitstatus_to_exitcode(status))
