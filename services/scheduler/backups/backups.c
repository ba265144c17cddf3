#include "scheduler/backups/backups.h"

#include "base/assert.h"
#include "base/log.h"
#include "base/mem.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct backups {
    char *folder; /* NULL: none */
    struct backup_set set;

    pthread_mutex_t mutex; /* guards what follows */
    bool has_thread;       /* to be joined */
    bool is_running;
    pthread_t thread;
    int64_t last_us;
    char name[BACKUP_NAME_MAX + 1]; /* of the one that runs or failed; empty: none */
    int64_t begun_us;
    struct error failure; /* of the last one; empty text: it did not fail */
};

static void lock(struct backups *backups)
{
    (void)pthread_mutex_lock(&backups->mutex);
}

static void unlock(struct backups *backups)
{
    (void)pthread_mutex_unlock(&backups->mutex);
}

/* --- one backup --------------------------------------------------------------------------------
 */

static void *backup_main(void *context)
{
    struct backups *backups         = context;
    struct error error              = {};
    const struct backup_place place = {
        .folder = backups->folder, .name = backups->name, .created_us = backups->begun_us};
    status code = backup_make(&backups->set, &place, &error);
    if (code == STATUS_OK) {
        log_write(LOG_INFO, "backup.completed", LOG_TEXT_OF("name", backups->name),
                  LOG_INT("duration_ms", (clock_unix_us() - backups->begun_us) / 1000));
    } else {
        log_write(LOG_ERROR, "backup.failed", LOG_TEXT_OF("name", backups->name),
                  LOG_TEXT_OF("error", error.text));
    }
    lock(backups);
    backups->is_running = false;
    backups->failure    = error;
    if (code == STATUS_OK) {
        backups->last_us = backups->begun_us;
        backups->name[0] = '\0'; /* from now on it is one of the list */
    }
    unlock(backups);
    return NULL;
}

/* --- beginning ---------------------------------------------------------------------------------
 */

static void name_by_time(int64_t now_us, char name[static BACKUP_NAME_MAX + 1])
{
    time_t seconds = (time_t)(now_us / 1'000'000);
    struct tm time = {};
    (void)gmtime_r(&seconds, &time);
    (void)strftime(name, BACKUP_NAME_MAX + 1, "%Y-%m-%d-%H%M%S", &time);
}

static status check_free(const struct backups *backups, const char *name, struct error *reterr)
{
    char path[STORE_PATH_MAX];
    struct stat there;
    int len = snprintf(path, sizeof path, "%s/%s.partial/p%d", backups->folder, name,
                       MANIFEST_PARTITIONS_MAX);
    if ((size_t)len >= sizeof path) {
        return fail(reterr, STATUS_INVALID_ARGUMENT, "%s: path too long", backups->folder);
    }
    (void)snprintf(path, sizeof path, "%s/%s", backups->folder, name);
    if (stat(path, &there) == 0) {
        return fail_code(reterr, STATUS_ALREADY_EXISTS, "already_exists",
                         "there is a backup `%s` already", name);
    }
    if (mkdir(backups->folder, 0700) == 0 || errno == EEXIST) return STATUS_OK;
    return fail(reterr, STATUS_UNAVAILABLE, "make %s: %m", backups->folder);
}

static status begin(struct backups *backups, str name, struct error *reterr)
{
    char text[BACKUP_NAME_MAX + 1] = "";
    if (backups->is_running) {
        return fail_code(reterr, STATUS_FAILED_PRECONDITION, "in_use",
                         "the backup `%s` is being made", backups->name);
    }
    int64_t now_us = clock_unix_us();
    if (name.len == 0) {
        name_by_time(now_us, text);
    } else {
        memcpy(text, name.ptr, name.len);
    }
    TRY(check_free(backups, text, reterr));
    if (backups->has_thread) (void)pthread_join(backups->thread, NULL);
    memcpy(backups->name, text, sizeof text);
    backups->begun_us   = now_us;
    backups->failure    = (struct error){};
    backups->is_running = true;
    backups->has_thread = pthread_create(&backups->thread, NULL, backup_main, backups) == 0;
    if (backups->has_thread) return STATUS_OK;
    backups->is_running = false;
    backups->name[0]    = '\0';
    return fail(reterr, STATUS_RESOURCE_EXHAUSTED, "no thread for a backup");
}

status backups_begin(struct backups *backups, str name, struct arena *arena,
                     struct backup_view *ret_view, struct error *reterr)
{
    if (!backups->folder) {
        return fail_code(reterr, STATUS_FAILED_PRECONDITION, "in_use",
                         "no folder for backups: set scheduler.backup.path");
    }
    if (name.len > 0 && !backup_name_is_valid(name)) {
        return fail_code(reterr, STATUS_INVALID_ARGUMENT, "invalid_request",
                         "name: lower-case letters, digits and `-`, at most %d", BACKUP_NAME_MAX);
    }
    lock(backups);
    status begun = begin(backups, name, reterr);
    if (begun == STATUS_OK) {
        *ret_view = (struct backup_view){.name       = arena_strdup(arena, str_from(backups->name)),
                                         .state      = BACKUP_RUNNING,
                                         .created_us = backups->begun_us,
                                         .partitions = (uint16_t)backups->set.count};
    }
    unlock(backups);
    return begun;
}

/* --- listing -----------------------------------------------------------------------------------
 */

static int by_time(const void *a, const void *b)
{
    const struct backup_view *left  = a;
    const struct backup_view *right = b;
    return (left->created_us > right->created_us) - (left->created_us < right->created_us);
}

/* A folder that is no backup is none of our business; one whose manifest is damaged is shown. */
static bool view_folder(const char *folder, const char *name, struct arena *arena,
                        struct backup_view *ret_view)
{
    char path[STORE_PATH_MAX];
    CLEANUP(backup_manifest_freep) struct backup_manifest *manifest = backup_manifest_new();
    struct error error                                              = {};
    (void)snprintf(path, sizeof path, "%s/%s", folder, name);
    status read = backup_manifest_read(path, manifest, &error);
    if (read == STATUS_NOT_FOUND) return false;
    *ret_view = (struct backup_view){.name  = arena_strdup(arena, str_from(name)),
                                     .state = BACKUP_COMPLETED};
    if (read == STATUS_OK) {
        ret_view->created_us = manifest->created_us;
        ret_view->size_bytes = backup_manifest_size_bytes(manifest);
        ret_view->partitions = manifest->count;
    } else {
        ret_view->state   = BACKUP_FAILED;
        ret_view->failure = arena_strdup(arena, str_from(error.text));
    }
    return ret_view->name;
}

/* One that was cut short by the end of its process: `<name>.partial`. */
static bool view_partial(const char *own, const char *entry, struct arena *arena,
                         struct backup_view *ret_view)
{
    static const char suffix[] = ".partial";
    str name                   = str_from(entry);
    size_t suffix_len          = sizeof suffix - 1;
    if (name.len <= suffix_len || strcmp(entry + name.len - suffix_len, suffix) != 0) return false;
    name.len -= suffix_len;
    if (!backup_name_is_valid(name) || str_is(name, own)) return false;
    *ret_view = (struct backup_view){
        .name    = arena_strdup(arena, name),
        .state   = BACKUP_FAILED,
        .failure = "it was cut short; another of this name takes its place",
    };
    return ret_view->name;
}

/* `own`: the one that is being made. */
static size_t view_folders(const struct backups *backups, const char *own, struct arena *arena,
                           struct backup_view views[static BACKUPS_LISTED_MAX])
{
    DIR *dir = opendir(backups->folder);
    if (!dir) return 0; /* none was made yet */
    size_t count               = 0;
    const struct dirent *entry = NULL;
    /* glibc's readdir() is safe for different directories. */
    /* NOLINTNEXTLINE(concurrency-mt-unsafe) */
    while (count < BACKUPS_LISTED_MAX && (entry = readdir(dir))) {
        if (backup_name_is_valid(str_from(entry->d_name))) {
            count += view_folder(backups->folder, entry->d_name, arena, &views[count]);
        } else {
            count += view_partial(own, entry->d_name, arena, &views[count]);
        }
    }
    (void)closedir(dir);
    qsort(views, count, sizeof views[0], by_time);
    return count;
}

status backups_list(struct backups *backups, struct arena *arena, struct backup_view **ret_views,
                    size_t *ret_count, struct error *reterr)
{
    struct backup_view *views = arena_alloc(arena, (BACKUPS_LISTED_MAX + 1) * sizeof *views);
    if (!views) return fail(reterr, STATUS_RESOURCE_EXHAUSTED, "no memory");
    char own[BACKUP_NAME_MAX + 1];
    lock(backups);
    memcpy(own, backups->name, sizeof own);
    unlock(backups);
    size_t count = backups->folder ? view_folders(backups, own, arena, views) : 0;
    lock(backups);
    bool is_listed = count > 0 && strcmp(views[count - 1].name, backups->name) == 0; /* just now */
    if (backups->name[0]) {
        if (is_listed) count--;
        views[count++] = (struct backup_view){
            .name       = arena_strdup(arena, str_from(backups->name)),
            .state      = backups->is_running ? BACKUP_RUNNING : BACKUP_FAILED,
            .created_us = backups->begun_us,
            .partitions = (uint16_t)backups->set.count,
            .failure    = arena_strdup(arena, str_from(backups->failure.text)),
        };
    }
    unlock(backups);
    *ret_views = views;
    *ret_count = count;
    return STATUS_OK;
}

int64_t backups_last_us(struct backups *backups)
{
    lock(backups);
    int64_t last_us = backups->last_us;
    unlock(backups);
    return last_us;
}

bool backups_is_running(struct backups *backups)
{
    lock(backups);
    bool is_running = backups->is_running;
    unlock(backups);
    return is_running;
}

const char *backups_folder(const struct backups *backups)
{
    return backups->folder;
}

const struct backup_set *backups_set(const struct backups *backups)
{
    return &backups->set;
}

/* --- life --------------------------------------------------------------------------------------
 */

/* What a run of the process before has made counts as well. */
static int64_t last_in_folder(const struct backups *backups)
{
    CLEANUP(arena_freep) struct arena *arena = arena_new(1 << 20);
    if (!arena || !backups->folder) return 0;
    struct backup_view *views = mem_new(BACKUPS_LISTED_MAX, sizeof *views);
    size_t count              = view_folders(backups, "", arena, views);
    int64_t last_us           = 0;
    for (size_t i = 0; i < count; i++) {
        if (views[i].state == BACKUP_COMPLETED) last_us = views[i].created_us;
    }
    free(views);
    return last_us;
}

struct backups *backups_new(const char *folder, uint16_t partition_count,
                            const struct backup_source *sources, size_t count)
{
    ASSERT(count > 0);
    struct backups *backups = mem_new(1, sizeof *backups);
    backups->folder         = folder ? mem_dup(folder, strlen(folder)) : NULL;
    struct backup_set *set  = &backups->set;
    set->partition_count    = partition_count;
    set->sources            = mem_new(count, sizeof *sources);
    set->count              = count;
    memcpy(set->sources, sources, count * sizeof *sources);
    (void)pthread_mutex_init(&backups->mutex, NULL);
    backups->last_us = last_in_folder(backups);
    return backups;
}

void backups_free(struct backups *backups)
{
    if (!backups) return;
    if (backups->has_thread) (void)pthread_join(backups->thread, NULL);
    (void)pthread_mutex_destroy(&backups->mutex);
    free(backups->set.sources);
    free(backups->folder);
    free(backups);
}
