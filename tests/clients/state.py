"""Prints what the emulator holds: its state, which has no secret in it.

usage: state.py EMULATOR_JSON
"""

import json
import sys

import requests


def main(guide_file):
    with open(guide_file, encoding="utf-8") as file:
        url = json.load(file)["url"]
    print(requests.get(f"{url}/_emulator/state", timeout=30).text)


main(*sys.argv[1:])
