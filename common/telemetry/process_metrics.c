/* process_*: the metrics that every Prometheus client offers of its own process. */
#include "base/assert.h"
#include "base/clock.h"
#include "base/mem.h"
#include "telemetry/metrics_internal.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

enum {
    PROCESS_CPU,
    PROCESS_RESIDENT,
    PROCESS_VIRTUAL,
    PROCESS_FDS,
    PROCESS_FDS_MAX,
    PROCESS_START
};

static const struct metric_spec specs[] = {
    [PROCESS_CPU]      = {.name = "process_cpu_seconds_total",
                          .help = "CPU time of the process, user and system.",
                          .kind = METRIC_COUNTER},
    [PROCESS_RESIDENT] = {.name = "process_resident_memory_bytes",
                          .help = "Memory of the process that is in RAM.",
                          .kind = METRIC_GAUGE},
    [PROCESS_VIRTUAL]  = {.name = "process_virtual_memory_bytes",
                          .help = "Address space of the process; a mapped store counts in full.",
                          .kind = METRIC_GAUGE},
    [PROCESS_FDS]      = {.name = "process_open_fds",
                          .help = "Open file descriptors.",
                          .kind = METRIC_GAUGE},
    [PROCESS_FDS_MAX]  = {.name = "process_max_fds",
                          .help = "File descriptors the process may open.",
                          .kind = METRIC_GAUGE},
    [PROCESS_START]    = {.name = "process_start_time_seconds",
                          .help = "Unix time when the process started.",
                          .kind = METRIC_GAUGE},
};

enum { PROCESS_COUNT = ARRAY_LEN(specs) };

static struct series *find(struct metrics *metrics, size_t which)
{
    for (size_t i = 0; i < metrics->count; i++) {
        if (strcmp(metrics->items[i]->spec.name, specs[which].name) == 0) {
            return metric_series(metrics->items[i], NULL);
        }
    }
    ASSERT(false); /* metrics_add_process() has added them all */
    return NULL;
}

static double seconds(struct timeval time)
{
    return (double)time.tv_sec + (double)time.tv_usec / 1e6;
}

static void sample_memory(struct metrics *metrics)
{
    FILE *file = fopen("/proc/self/statm", "re");
    if (!file) return;
    long pages = sysconf(_SC_PAGESIZE);
    long total = 0;
    long resident;
    char line[128] = "";
    if (fgets(line, sizeof line, file)) {
        char *rest = line;
        total      = strtol(rest, &rest, 10);
        resident   = strtol(rest, &rest, 10);
        series_set(find(metrics, PROCESS_VIRTUAL), (double)total * (double)pages);
        series_set(find(metrics, PROCESS_RESIDENT), (double)resident * (double)pages);
    }
    (void)fclose(file);
}

static void sample_descriptors(struct metrics *metrics)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        series_set(find(metrics, PROCESS_FDS_MAX), (double)limit.rlim_cur);
    }
    DIR *folder = opendir("/proc/self/fd");
    if (!folder) return;
    int count = -1; /* the folder's own */
    /* NOLINTNEXTLINE(concurrency-mt-unsafe): glibc's is safe for a stream of one thread's own */
    for (const struct dirent *entry = readdir(folder); entry; entry = readdir(folder)) {
        count += entry->d_name[0] != '.';
    }
    (void)closedir(folder);
    series_set(find(metrics, PROCESS_FDS), count);
}

static void sample(void *context)
{
    struct metrics *metrics = context;
    struct rusage usage;
    if (getrusage(RUSAGE_SELF, &usage) == 0) {
        series_store(find(metrics, PROCESS_CPU), seconds(usage.ru_utime) + seconds(usage.ru_stime));
    }
    sample_memory(metrics);
    sample_descriptors(metrics);
}

void metrics_add_process(struct metrics *metrics, const char *version, const char *commit)
{
    for (size_t i = 0; i < PROCESS_COUNT; i++) (void)metric_add(metrics, &specs[i]);
    /* Called at start-up, so now is near enough. */
    series_set(find(metrics, PROCESS_START), (double)clock_unix_us() / 1e6);

    static const struct metric_spec build = {.name   = "tutti_build_info",
                                             .help   = "1; the labels say what runs.",
                                             .kind   = METRIC_GAUGE,
                                             .labels = {"version", "commit"}};
    const str values[]                    = {str_from(version), str_from(commit)};
    series_set(metric_series(metric_add(metrics, &build), values), 1);
    metrics_add_hook(metrics, sample, metrics);
}
