/* Let writing below a folder fail as it does beyond a quota: a library to preload, for a test.
 *
 * QUOTA_FOLDER names the folder and QUOTA_BYTES what may be written there by a process. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

static long written;

static int is_refused(int file, size_t bytes)
{
    const char *folder = getenv("QUOTA_FOLDER"), *allowed = getenv("QUOTA_BYTES");
    char link[64], path[PATH_MAX + 1];
    ssize_t length;
    if (!folder || !allowed)
        return 0;
    snprintf(link, sizeof link, "/proc/self/fd/%d", file);
    length = readlink(link, path, PATH_MAX);
    if (length < 0)
        return 0;
    path[length] = 0;
    if (strncmp(path, folder, strlen(folder)))
        return 0;
    written += bytes;
    return written > atol(allowed);
}

ssize_t write(int file, const void *buffer, size_t bytes)
{
    static ssize_t (*next)(int, const void *, size_t);
    if (!next)
        next = dlsym(RTLD_NEXT, "write");
    if (is_refused(file, bytes)) {
        errno = EDQUOT;
        return -1;
    }
    return next(file, buffer, bytes);
}

ssize_t writev(int file, const struct iovec *parts, int count)
{
    static ssize_t (*next)(int, const struct iovec *, int);
    size_t bytes = 0;
    for (int part = 0; part < count; part++)
        bytes += parts[part].iov_len;
    if (!next)
        next = dlsym(RTLD_NEXT, "writev");
    if (is_refused(file, bytes)) {
        errno = EDQUOT;
        return -1;
    }
    return next(file, parts, count);
}
