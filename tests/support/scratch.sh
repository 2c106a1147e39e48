# Sourced by tests/campaign: temporary files go to memory where the machine has it. The campaign makes thousands of small
# stores and writes each of them through to the disk; that this is done is watched by tests of their own, at the calls
# themselves. A TMPDIR that the caller set stays. `tests/run` waits for other things, and keeps the disk.
scratch=
if [ -z "${TMPDIR:-}" ] && [ "$(stat -f -c %T /dev/shm 2>/dev/null)" = tmpfs ] && [ -w /dev/shm ]; then
    room=$(df --output=avail -k /dev/shm | tail -1)
    if [ "$room" -gt $((4 * 1024 * 1024)) ]; then
        scratch=$(mktemp -d /dev/shm/everkey-tests.XXXXXX)
        # PostgreSQL runs as a user of its own where the tests run as root.
        chmod 711 "$scratch"
        export TMPDIR=$scratch
        trap 'rm -rf "$scratch"' EXIT
    fi
fi
