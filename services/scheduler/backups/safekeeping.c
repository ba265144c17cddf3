#include "scheduler/backups/safekeeping.h"

#include "base/clock.h"
#include "base/mem.h"
#include "scheduler/engine/partition.h"
#include "scheduler/tables/tables.h"

#include <stdatomic.h>
#include <stdlib.h>

struct safekeeping {
    struct safekeeping_options options;
    _Atomic int64_t last_us; /* that a commit got */
    struct redo_clock clock; /* over all partitions */
    struct backups *backups; /* NULL: ended, or not started */
    struct keeper *keeper;
    struct erasure_list *erasures; /* NULL: there is no folder of backups, or not started */
    struct archiver *archiver;
};

/* Never the same time twice: what a commit of one partition has caused in another comes later, so a
 * cut through all of them at one time is a state they were in. */
static int64_t now_us(void *context)
{
    struct safekeeping *safekeeping = context;
    int64_t last_us                 = atomic_load(&safekeeping->last_us);
    for (;;) {
        int64_t wall_us = clock_unix_us();
        int64_t next_us = wall_us > last_us ? wall_us : last_us + 1;
        if (atomic_compare_exchange_weak(&safekeeping->last_us, &last_us, next_us)) return next_us;
    }
}

struct safekeeping *safekeeping_new(const struct safekeeping_options *options)
{
    struct safekeeping *safekeeping = mem_new(1, sizeof *safekeeping);
    safekeeping->options            = *options;
    safekeeping->clock              = (struct redo_clock){now_us, safekeeping};
    return safekeeping;
}

const struct redo_clock *safekeeping_clock(const struct safekeeping *safekeeping)
{
    return safekeeping->options.archive_folder ? &safekeeping->clock : NULL;
}

static status start_archive(struct safekeeping *safekeeping, const struct backup_set *set,
                            struct error *reterr)
{
    const struct safekeeping_options *options = &safekeeping->options;
    struct archive_source *sources            = mem_new(set->count, sizeof *sources);
    for (size_t i = 0; i < set->count; i++) {
        const struct partition *partition = set->sources[i].partition;
        sources[i].store                  = partition->store;
        sources[i].index                  = partition->index;
        sources[i].epoch                  = partition->epoch;
    }
    const struct archiver_options archive = {.folder       = options->archive_folder,
                                             .interval_ms  = options->archive_interval_ms,
                                             .segment_size = options->archive_segment_size,
                                             .redo_table   = TABLE_REDO,
                                             .sources      = sources,
                                             .count        = set->count};
    status started = archiver_start(&archive, &safekeeping->archiver, reterr);
    free(sources);
    return started;
}

status safekeeping_start(struct safekeeping *safekeeping, const struct backup_set *set,
                         const char *data, struct error *reterr)
{
    const struct safekeeping_options *options = &safekeeping->options;
    safekeeping->backups =
        backups_new(options->backup_folder, set->partition_count, set->sources, set->count);
    if (data && options->archive_folder) TRY(start_archive(safekeeping, set, reterr));
    if (!data || !options->backup_folder) return STATUS_OK;
    safekeeping->erasures =
        erasure_list_new(options->backup_folder, set, options->erasures_keep_us);
    const struct keeper_options keeper = {.backups  = safekeeping->backups,
                                          .every_ms = options->backup_every_ms,
                                          .keep_ms  = options->backup_keep_ms,
                                          .archive  = options->archive_folder,
                                          .erasures = safekeeping->erasures};
    return keeper_start(&keeper, &safekeeping->keeper, reterr);
}

void safekeeping_end(struct safekeeping *safekeeping)
{
    keeper_stop(safekeeping->keeper);
    backups_free(safekeeping->backups);
    safekeeping->keeper  = NULL;
    safekeeping->backups = NULL;
}

void safekeeping_free(struct safekeeping *safekeeping)
{
    if (!safekeeping) return;
    safekeeping_end(safekeeping);
    if (safekeeping->erasures) erasure_list_write(safekeeping->erasures);
    erasure_list_free(safekeeping->erasures);
    archiver_stop(safekeeping->archiver);
    free(safekeeping);
}

struct backups *safekeeping_backups(struct safekeeping *safekeeping)
{
    return safekeeping->backups;
}

struct archiver *safekeeping_archiver(struct safekeeping *safekeeping)
{
    return safekeeping->archiver;
}
