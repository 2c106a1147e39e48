// Loaded into the binary under test (LD_PRELOAD): counts, over all threads, every call by which a process changes a file
// or speaks to somebody, and at the n-th of them kills the process before or after the call, or lets the call fail.
//
//   FAULT_LOG=FILE      every counted call, one line each: its number, name, and the file or address
//   FAULT_AT=N          the call that is hit
//   FAULT=before|after  killed when it enters or has left the call
//   FAULT=ERRNO         the call is not made, and fails with this number
//   FAULT_FOR=N         so many calls in a row fail (default 1); 0 means all from there on
//   FAULT_UNDER=DIR     only calls on files below this directory are counted
//   FAULT_OPENS=1       only opening files is counted, also of those that are there
//
// `strace` does the same for one thread at a time; here a number names the same call whichever thread makes it.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

static atomic_long count;
static long at, lasts = 1;
static int log_fd = -1, failure;
static int after, opens;
static const char *under;

__attribute__((constructor)) static void begin(void) {
    const char *value = getenv("FAULT_LOG");
    if (value) log_fd = (int)syscall(SYS_openat, AT_FDCWD, value, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if ((value = getenv("FAULT_AT"))) at = atol(value);
    if ((value = getenv("FAULT_FOR"))) lasts = atol(value);
    if ((value = getenv("FAULT"))) {
        after = !strcmp(value, "after");
        failure = atoi(value);
    }
    under = getenv("FAULT_UNDER");
    opens = getenv("FAULT_OPENS") != NULL;
}

static void die(void) {
    syscall(SYS_kill, getpid(), SIGKILL);
    for (;;) pause();
}

// The number of this call, or 0 when it is not counted. Kills a process that is to die before it.
static long enter(const char *name, int fd, const char *path) {
    int before = errno;
    char place[PATH_MAX], line[PATH_MAX + 64], link[64];
    if (path) {
        if (path[0] == '/' || fd == AT_FDCWD) snprintf(place, sizeof place, "%s", path);
        else {
            snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
            ssize_t length = readlink(link, place, sizeof place - 1);
            place[length < 0 ? 0 : length] = 0;
            size_t end = strlen(place);
            snprintf(place + end, sizeof place - end, "/%s", path);
        }
    } else {
        snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
        ssize_t length = readlink(link, place, sizeof place - 1);
        place[length < 0 ? 0 : length] = 0;
    }
    errno = before;
    // Threads of one process wake each other through these.
    if (!strncmp(place, "anon_inode:", 11)) return 0;
    if (opens && strncmp(name, "open", 4)) return 0;
    if (under && strncmp(place, under, strlen(under))) return 0;
    long number = atomic_fetch_add(&count, 1) + 1;
    if (log_fd >= 0) {
        int length = snprintf(line, sizeof line, "%ld %s %s\n", number, name, place);
        syscall(SYS_write, log_fd, line, length);
        errno = before;
    }
    if (at && number == at && !after && !failure) die();
    return number;
}

static int fails(long number) {
    int hit = failure && at && number >= at && (lasts == 0 || number < at + lasts);
    if (hit) errno = failure;
    return hit;
}

static void leave(long number) {
    if (at && number == at && after) die();
}

#define REAL(name) ({ static __typeof__(name) *real; if (!real) real = dlsym(RTLD_NEXT, #name); real; })
#define AROUND(type, name, fd, path, call) \
    long number = enter(#name, fd, path); \
    if (number && fails(number)) return -1; \
    type result = REAL(name) call; \
    if (number) { int before = errno; leave(number); errno = before; } \
    return result;

ssize_t write(int fd, const void *data, size_t size) { AROUND(ssize_t, write, fd, NULL, (fd, data, size)) }
ssize_t writev(int fd, const struct iovec *parts, int n) { AROUND(ssize_t, writev, fd, NULL, (fd, parts, n)) }
ssize_t pwrite(int fd, const void *data, size_t size, off_t to) { AROUND(ssize_t, pwrite, fd, NULL, (fd, data, size, to)) }
ssize_t pwrite64(int fd, const void *data, size_t size, off64_t to) { AROUND(ssize_t, pwrite64, fd, NULL, (fd, data, size, to)) }
ssize_t send(int fd, const void *data, size_t size, int flags) { AROUND(ssize_t, send, fd, NULL, (fd, data, size, flags)) }
ssize_t sendto(int fd, const void *data, size_t size, int flags, const struct sockaddr *to, socklen_t length) {
    AROUND(ssize_t, sendto, fd, NULL, (fd, data, size, flags, to, length))
}
ssize_t sendmsg(int fd, const struct msghdr *message, int flags) { AROUND(ssize_t, sendmsg, fd, NULL, (fd, message, flags)) }
int connect(int fd, const struct sockaddr *to, socklen_t length) { AROUND(int, connect, fd, NULL, (fd, to, length)) }
int fsync(int fd) { AROUND(int, fsync, fd, NULL, (fd)) }
int fdatasync(int fd) { AROUND(int, fdatasync, fd, NULL, (fd)) }
int ftruncate(int fd, off_t size) { AROUND(int, ftruncate, fd, NULL, (fd, size)) }
int ftruncate64(int fd, off64_t size) { AROUND(int, ftruncate64, fd, NULL, (fd, size)) }
int fchmod(int fd, mode_t mode) { AROUND(int, fchmod, fd, NULL, (fd, mode)) }
int fchown(int fd, uid_t user, gid_t group) { AROUND(int, fchown, fd, NULL, (fd, user, group)) }
int mkdir(const char *path, mode_t mode) { AROUND(int, mkdir, AT_FDCWD, path, (path, mode)) }
int mkdirat(int dir, const char *path, mode_t mode) { AROUND(int, mkdirat, dir, path, (dir, path, mode)) }
int symlink(const char *to, const char *path) { AROUND(int, symlink, AT_FDCWD, path, (to, path)) }
int symlinkat(const char *to, int dir, const char *path) { AROUND(int, symlinkat, dir, path, (to, dir, path)) }
int rename(const char *from, const char *to) { AROUND(int, rename, AT_FDCWD, to, (from, to)) }
int renameat(int a, const char *from, int b, const char *to) { AROUND(int, renameat, b, to, (a, from, b, to)) }
int renameat2(int a, const char *from, int b, const char *to, unsigned flags) {
    AROUND(int, renameat2, b, to, (a, from, b, to, flags))
}
int unlink(const char *path) { AROUND(int, unlink, AT_FDCWD, path, (path)) }
int unlinkat(int dir, const char *path, int flags) { AROUND(int, unlinkat, dir, path, (dir, path, flags)) }
int rmdir(const char *path) { AROUND(int, rmdir, AT_FDCWD, path, (path)) }

// Opening is counted when it makes a file; with FAULT_OPENS always: a process may run out of descriptors anywhere.
#define OPEN(name, dir, path, flags, call) \
    mode_t mode = 0; \
    if (flags & (O_CREAT | __O_TMPFILE)) { va_list rest; va_start(rest, flags); mode = va_arg(rest, mode_t); va_end(rest); } \
    if (!(flags & O_CREAT) && !opens) return REAL(name) call; \
    AROUND(int, name, dir, path, call)
int open(const char *path, int flags, ...) { OPEN(open, AT_FDCWD, path, flags, (path, flags, mode)) }
int open64(const char *path, int flags, ...) { OPEN(open64, AT_FDCWD, path, flags, (path, flags, mode)) }
int openat(int dir, const char *path, int flags, ...) { OPEN(openat, dir, path, flags, (dir, path, flags, mode)) }
int openat64(int dir, const char *path, int flags, ...) { OPEN(openat64, dir, path, flags, (dir, path, flags, mode)) }
