#include "scheduler/backups/keeper.h"

#include "base/assert.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/pause.h"
#include "scheduler/backups/tidy.h"

#include <pthread.h>
#include <stdlib.h>

enum {
    LOOK_MS   = 250,
    RETRY_MS  = 60'000,  /* after a backup that failed, if that is shorter than the time between */
    TIDY_MS   = 60'000,  /* and after each backup */
    ARENA_MAX = 1 << 16, /* bytes */
};

struct keeper {
    struct keeper_options options;
    pthread_t thread;

    /* The thread's. */
    int64_t tried_ms; /* clock_mono_ms() of the last attempt; 0: none */
    int64_t tidied_ms;
    int64_t tidied_us; /* the newest backup at that time */
    bool lacks_base;   /* the archive has no backup to stand on */

    struct pause pause;
};

/* --- beginning ---------------------------------------------------------------------------------
 */

static void begin(struct keeper *keeper)
{
    CLEANUP(arena_freep) struct arena *arena = arena_new(ARENA_MAX);
    struct backup_view view                  = {};
    struct error error                       = {};
    keeper->tried_ms                         = clock_mono_ms();
    if (!arena) return;
    status begun = backups_begin(keeper->options.backups, (str){}, arena, &view, &error);
    if (begun == STATUS_OK) return;
    log_write(LOG_ERROR, "backup.not_begun", LOG_TEXT_OF("error", error.text));
}

static bool is_due(const struct keeper *keeper)
{
    const struct keeper_options *options = &keeper->options;
    if (options->every_ms == 0 || backups_is_running(options->backups)) return false;
    int64_t since_ms = clock_mono_ms() - keeper->tried_ms;
    int64_t retry_ms = options->every_ms < RETRY_MS ? options->every_ms : RETRY_MS;
    if (keeper->tried_ms > 0 && since_ms < retry_ms) return false;
    if (keeper->lacks_base) return true;
    int64_t last_us = backups_last_us(options->backups);
    return clock_unix_us() - last_us >= options->every_ms * 1'000;
}

/* --- removing ----------------------------------------------------------------------------------
 */

static void tidy_up(struct keeper *keeper)
{
    const struct keeper_options *options = &keeper->options;
    const char *folder                   = backups_folder(options->backups);
    const struct backup_set *set         = backups_set(options->backups);
    uint64_t backups                     = 0;
    uint64_t segments                    = 0;
    struct error error                   = {};
    status tidied                        = STATUS_OK;
    CLEANUP(tidy_done) struct tidy tidy  = {};
    tidy_read(folder, &tidy);
    if (options->keep_ms > 0) {
        int64_t until_us = clock_unix_us() - options->keep_ms * 1'000;
        tidied           = tidy_remove(folder, &tidy, until_us, &backups, &error);
    }
    erasure_list_tidy(options->erasures,
                      tidy.count > 0 ? tidy.manifests[0]->created_us : INT64_MAX);
    if (tidied == STATUS_OK && options->archive) {
        tidied             = tidy_archive(options->archive, &tidy, set, &segments, &error);
        keeper->lacks_base = !tidy_has_base(&tidy, set);
    }
    if (backups > 0 || segments > 0) {
        log_write(LOG_INFO, "backup.removed", LOG_INT("backups", (int64_t)backups),
                  LOG_INT("segments", (int64_t)segments));
    }
    if (tidied == STATUS_OK) return;
    log_write(LOG_ERROR, "backup.not_removed", LOG_TEXT_OF("error", error.text));
}

static bool is_untidy(const struct keeper *keeper)
{
    if (backups_is_running(keeper->options.backups)) return false;
    if (keeper->tidied_ms == 0 || clock_mono_ms() - keeper->tidied_ms >= TIDY_MS) return true;
    return backups_last_us(keeper->options.backups) != keeper->tidied_us;
}

static void look(struct keeper *keeper)
{
    erasure_list_write(keeper->options.erasures);
    if (is_untidy(keeper)) {
        keeper->tidied_ms = clock_mono_ms();
        keeper->tidied_us = backups_last_us(keeper->options.backups);
        tidy_up(keeper);
    }
    if (is_due(keeper)) begin(keeper);
}

/* --- life --------------------------------------------------------------------------------------
 */

static void *keeper_main(void *context)
{
    struct keeper *keeper = context;
    do {
        look(keeper);
    } while (pause_for(&keeper->pause, LOOK_MS));
    return NULL;
}

static void keeper_free(struct keeper *keeper)
{
    pause_destroy(&keeper->pause);
    free(keeper);
}

status keeper_start(const struct keeper_options *options, struct keeper **ret_keeper,
                    struct error *reterr)
{
    ASSERT(options->backups && backups_folder(options->backups));
    struct keeper *keeper = mem_new(1, sizeof *keeper);
    keeper->options       = *options;
    pause_init(&keeper->pause);
    if (pthread_create(&keeper->thread, NULL, keeper_main, keeper) == 0) {
        *ret_keeper = keeper;
        return STATUS_OK;
    }
    keeper_free(keeper);
    return fail(reterr, STATUS_RESOURCE_EXHAUSTED, "no thread for the clock of backups");
}

void keeper_stop(struct keeper *keeper)
{
    if (!keeper) return;
    pause_end(&keeper->pause);
    (void)pthread_join(keeper->thread, NULL);
    keeper_free(keeper);
}
