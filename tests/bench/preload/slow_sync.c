/*
 * A disk that takes longer: preloaded into a program, whatever makes data durable takes
 * BENCH_SYNC_US microseconds more. Writes to a descriptor opened with O_DSYNC count, too. Below
 * zero nothing is made durable at all (but by such writes): for making data that are thrown away.
 *
 *     cc -shared -fPIC -o slow_sync.so slow_sync.c
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/types.h>
#include <time.h>
#include <unistd.h>

/* False: nothing is to be done. */
static int take_time(void)
{
    const char *text     = getenv("BENCH_SYNC_US");
    long us              = text ? strtol(text, NULL, 10) : 0;
    struct timespec left = {us / 1000000, us % 1000000 * 1000};
    if (us < 0) return 0;
    while (nanosleep(&left, &left) != 0) {
    }
    return 1;
}

int fdatasync(int fd)
{
    int (*real)(int) = (int (*)(int))dlsym(RTLD_NEXT, "fdatasync");
    return take_time() ? real(fd) : 0;
}

int fsync(int fd)
{
    int (*real)(int) = (int (*)(int))dlsym(RTLD_NEXT, "fsync");
    return take_time() ? real(fd) : 0;
}

int msync(void *start, size_t size, int flags)
{
    int (*real)(void *, size_t, int) = (int (*)(void *, size_t, int))dlsym(RTLD_NEXT, "msync");
    bool is_sync                     = flags & MS_SYNC;
    return is_sync && !take_time() ? 0 : real(start, size, flags);
}

static ssize_t write_at(const char *name, int fd, const void *data, size_t size, off_t offset)
{
    ssize_t (*real)(int, const void *, size_t, off_t) =
        (ssize_t(*)(int, const void *, size_t, off_t))dlsym(RTLD_NEXT, name);
    int flags = fcntl(fd, F_GETFL);
    if (flags != -1 && (flags & O_DSYNC)) (void)take_time();
    return real(fd, data, size, offset);
}

ssize_t pwrite(int fd, const void *data, size_t size, off_t offset)
{
    return write_at("pwrite", fd, data, size, offset);
}

ssize_t pwrite64(int fd, const void *data, size_t size, off_t offset)
{
    return write_at("pwrite64", fd, data, size, offset);
}
