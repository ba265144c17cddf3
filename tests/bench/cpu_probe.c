/*
 * The CPU that processes have used so far, in microseconds, of all their threads together, those
 * that have ended included: /proc/PID/task knows only the ones that are there, and loses one that
 * ends while it is read.
 *
 *     cpu_probe PID...
 */
#include <errno.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { US_PER_S = 1'000'000, NS_PER_US = 1'000 };

static int cpu_us(const char *text, int64_t *ret_us)
{
    char *end = NULL;
    long pid  = strtol(text, &end, 10);
    if (pid <= 0 || pid > INT_MAX || *end) return EINVAL;
    clockid_t clock = 0;
    int code        = clock_getcpuclockid((pid_t)pid, &clock);
    if (code != 0) return code;
    struct timespec used;
    if (clock_gettime(clock, &used) != 0) return errno;
    *ret_us = (int64_t)used.tv_sec * US_PER_S + used.tv_nsec / NS_PER_US;
    return 0;
}

int main(int argc, char **argv)
{
    int64_t sum = 0;
    for (int i = 1; i < argc; i++) {
        int64_t used_us = 0;
        int code        = cpu_us(argv[i], &used_us);
        if (code != 0) {
            (void)fprintf(stderr, "cpu_probe: process %s: %s\n", argv[i], strerror(code));
            return 1;
        }
        sum += used_us;
    }
    (void)printf("%lld\n", (long long)sum);
    return 0;
}
