/*
 * The number of CPUs this process may really use, and the sysconf() that tells libraries so.
 *
 * process.c calls into this file, so every program that has a main() of ours gets the override.
 */
#include "base/process.h"

#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <unistd.h>

enum { FILE_SIZE_MAX = 4096, PATH_SIZE = 512 }; /* bytes */

/* glibc's own name of the function that this file replaces. */
long __sysconf(int name); /* NOLINT(bugprone-reserved-identifier, cert-dcl37-c) */
#define LIBC_SYSCONF __sysconf

static str read_file(const char *path, char *buffer, size_t size)
{
    int file = open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0) return (str){.ptr = buffer};
    ssize_t len = read(file, buffer, size);
    (void)close(file); /* only read from */
    return (str){.ptr = buffer, .len = len > 0 ? (size_t)len : 0};
}

static bool take_number(str *text, long *ret_value)
{
    long value = 0;
    size_t at  = 0;
    for (; at < text->len && text->ptr[at] >= '0' && text->ptr[at] <= '9'; at++) {
        if (at == 12) return false; /* more microseconds than a quota can have */
        value = value * 10 + (text->ptr[at] - '0');
    }
    *text      = str_slice(*text, at, text->len);
    *ret_value = value;
    return at > 0 && value > 0;
}

int cpu_quota_parse(str text)
{
    long quota_us;
    long period_us;
    if (!take_number(&text, &quota_us) || text.len == 0 || text.ptr[0] != ' ') return 0;
    text = str_slice(text, 1, text.len);
    if (!take_number(&text, &period_us)) return 0;
    long cpus = (quota_us + period_us - 1) / period_us;
    return cpus < PROCESS_CPUS_MAX ? (int)cpus : PROCESS_CPUS_MAX;
}

/* Our cgroup's path is the line "0::/path" of /proc/self/cgroup; inside a container it is "/". */
static int cgroup_quota(void)
{
    char text[FILE_SIZE_MAX];
    char path[PATH_SIZE] = "/sys/fs/cgroup/cpu.max";
    str groups           = read_file("/proc/self/cgroup", text, sizeof text);
    while (groups.len > 0) {
        const char *newline = memchr(groups.ptr, '\n', groups.len);
        size_t len          = newline ? (size_t)(newline - groups.ptr) : groups.len;
        str line            = str_slice(groups, 0, len);
        if (str_starts_with(line, str_from("0::/")) && line.len < PATH_SIZE / 2) {
            str own = str_slice(line, 3, line.len);
            (void)snprintf(path, sizeof path, "/sys/fs/cgroup" STR_FMT "/cpu.max", STR_ARG(own));
        }
        groups = str_slice(groups, len + 1, groups.len);
    }
    return cpu_quota_parse(read_file(path, text, sizeof text));
}

int process_cpu_count(void)
{
    int count   = PROCESS_CPUS_MAX;
    long online = LIBC_SYSCONF(_SC_NPROCESSORS_ONLN);
    if (online > 0 && online < count) count = (int)online;

    cpu_set_t allowed;
    if (sched_getaffinity(0, sizeof allowed, &allowed) == 0) {
        int in_set = CPU_COUNT(&allowed);
        if (in_set > 0 && in_set < count) count = in_set;
    }
    int quota = cgroup_quota();
    return quota > 0 && quota < count ? quota : count;
}

/* The sanitizers call it before they are ready themselves, so it must not call them. */
#if __has_attribute(disable_sanitizer_instrumentation)
#define NOT_INSTRUMENTED __attribute__((disable_sanitizer_instrumentation)) /* clang */
#else
#define NOT_INSTRUMENTED                                                                           \
    __attribute__((no_sanitize("address"), no_sanitize("thread"), no_sanitize("undefined")))
#endif

/* Half of them, because NNG starts two task threads for each CPU, and they share one queue: every
 * message crosses it several times, and each thread beyond one per CPU only adds wake-ups. */
NOT_INSTRUMENTED long sysconf(int name)
{
    return name == _SC_NPROCESSORS_ONLN ? (process_cpu_count() + 1) / 2 : LIBC_SYSCONF(name);
}
