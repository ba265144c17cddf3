/*
 * What this disk takes to make 4 KiB durable, as the store measures it: p50 in microseconds. Rates
 * of whatever commits mean nothing without it.
 *
 *     sync_probe [DIR]       /tmp
 */
#include "store/disk.h"

#include <stdio.h>

enum { ROUNDS = 200 };

int main(int argc, char **argv)
{
    struct error error = {};
    int64_t p50_us     = 0;
    if (disk_probe_sync(argc > 1 ? argv[1] : "/tmp", ROUNDS, &p50_us, &error) != STATUS_OK) {
        (void)fprintf(stderr, "sync_probe: %s\n", error.text);
        return 1;
    }
    (void)printf("%lld\n", (long long)p50_us);
    return 0;
}
