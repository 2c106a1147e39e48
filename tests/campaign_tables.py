"""Makes one part's table in docs/reliability.md from the ledgers that its tests left (tests/support/campaign.rs).

    campaign_tables.py LEDGERS PART TITLE SECONDS COMMIT

Everything between the part's two marks is replaced; the other parts keep what they have. Ledgers that try the same promise
become one row, their figures added up. The machine describes itself.
"""

import datetime
import json
import os
import pathlib
import subprocess
import sys

PAGE = pathlib.Path(__file__).parent.parent / "docs/reliability.md"
END = "<!-- campaign: end -->"


def machine():
    def first(path, key):
        for line in open(path):
            if line.startswith(key):
                return line.split(":", 1)[1].strip()
        return "unknown"

    memory = int(first("/proc/meminfo", "MemTotal").split()[0]) / 1024 / 1024
    rustc = subprocess.run(["rustc", "--version"], capture_output=True, text=True, check=True).stdout.split()[1]
    kernel = os.uname().release.split("-")[0]
    cpu = first("/proc/cpuinfo", "model name")
    return f"{os.cpu_count()} cores ({cpu}), {memory:.0f} GiB, Linux {kernel}, rustc {rustc}"


def sentence(figure):
    return f"{figure:,}".replace(",", " ") if isinstance(figure, int) else str(figure)


def add(row, words, figure):
    known = row.get(words)
    number = isinstance(figure, (int, float)) and not isinstance(figure, bool)
    if known is None:
        row[words] = figure
    elif number and isinstance(known, (int, float)):
        row[words] = known + figure
    elif known != figure:
        row[words] = f"{known}; {figure}"


def table(directory, title, seconds, commit):
    rows = {}
    for path in sorted(directory.glob("*.json")):
        sheet = json.loads(path.read_text())
        row = rows.setdefault(sheet["promise"], {})
        for words, figure in sheet["figures"]:
            add(row, words, figure)
    if not rows:
        sys.exit(f"no test of this part left a ledger in {directory}")
    lines = [f"### {title}", "", "| what is tried | what came of it |", "|---|---|"]
    for promise, figures in sorted(rows.items()):
        said = ", ".join(f"{sentence(figure)} {words}" for words, figure in figures.items())
        lines.append(f"| {promise} | {said} |")
    today = datetime.datetime.now(datetime.timezone.utc).date()
    took = f"{seconds // 60} min {seconds % 60} s"
    lines += ["", f"{today}, {took}, {commit}, {machine()}."]
    return lines


def main():
    directory, part, title, seconds, commit = sys.argv[1:]
    made = table(pathlib.Path(directory), title, int(seconds), commit)
    begin = f"<!-- campaign: {part} -->"
    text = PAGE.read_text()
    if begin not in text:
        sys.exit(f"{PAGE} has no place for this part: {begin} and {END}")
    head, rest = text.split(begin, 1)
    tail = rest.split(END, 1)[1]
    PAGE.write_text(head + begin + "\n" + "\n".join(made) + "\n" + END + tail)


main()
