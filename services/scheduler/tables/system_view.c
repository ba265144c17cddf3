#include "scheduler/tables/system_view.h"

#include "base/clock.h"
#include "base/log.h"
#include "scheduler/tables/tables.h"

#include <stdio.h>
#include <time.h>

status system_view_open(const char *folder, uint64_t map_size, struct store **ret_store,
                        struct error *reterr)
{
    char path[STORE_PATH_MAX];
    int written = snprintf(path, sizeof path, "%s/p0", folder);
    if (written < 0 || (size_t)written >= sizeof path) {
        return fail(reterr, STATUS_UNAVAILABLE, "%s: path too long", folder);
    }
    const struct store_options options = {
        .path = path, .size_max = map_size, .tables = table_names};
    const struct timespec pause = {.tv_nsec = 50'000'000};
    int64_t until_ms            = clock_mono_ms() + SYSTEM_VIEW_WAIT_MS;
    for (;;) {
        status opened = store_open_shared(&options, ret_store, reterr);
        bool is_made  = opened != STATUS_NOT_FOUND && opened != STATUS_UNAVAILABLE;
        if (is_made) return opened;
        if (clock_mono_ms() >= until_ms) break;
        (void)nanosleep(&pause, NULL);
    }
    return fail(reterr, STATUS_FAILED_PRECONDITION,
                "%s: partition 0 is not there: all scheduler processes share one "
                "scheduler.store.path, and the owner of partition 0 makes it",
                path);
}

void system_view_refresh(struct subscriptions *subscriptions, struct store *system)
{
    struct error error = {};
    if (subscriptions_load(subscriptions, system, &error) == STATUS_OK) return;
    log_write(LOG_ERROR, "subscriptions.unreadable", LOG_TEXT_OF("error", error.text));
}
