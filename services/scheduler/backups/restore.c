#include "scheduler/backups/restore.h"

#include "base/mem.h"
#include "scheduler/backups/erasure_file.h"
#include "scheduler/engine/partition.h"
#include "scheduler/tables/tables.h"
#include "store/disk.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    CHUNK_BYTES       = 256 << 10,
    RESTORE_MAP_SIZE  = INT32_MAX, /* bytes beside what is there: raising the epoch writes a row */
    ROOM_PER_LINE     = 32,    /* bytes of map for one of a list of erasures: three rows a line */
    JOINED_PER_COMMIT = 1'000, /* lines */
};

static status path_of(const char *folder, const char *rest, uint16_t partition,
                      char path[static STORE_PATH_MAX], struct error *reterr)
{
    int len = snprintf(path, STORE_PATH_MAX, "%s/p%u%s", folder, partition, rest);
    if (len < STORE_PATH_MAX) return STATUS_OK;
    return fail(reterr, STATUS_INVALID_ARGUMENT, "%s: path too long", folder);
}

static status cannot(const char *action, const char *path, struct error *reterr)
{
    bool is_full = errno == ENOSPC || errno == EDQUOT;
    return fail(reterr, is_full ? STATUS_RESOURCE_EXHAUSTED : STATUS_UNAVAILABLE, "%s %s: %m",
                action, path);
}

/* --- verifying ---------------------------------------------------------------------------------
 */

static status verify_digest(const char *folder, const struct manifest_partition *partition,
                            struct error *reterr)
{
    struct backup_info info       = {};
    struct backup_content content = {};
    TRY(store_verify_backup(folder, table_names, &info, &content, reterr));
    if (memcmp(info.sha256, partition->info.sha256, sizeof info.sha256) == 0) return STATUS_OK;
    return fail(reterr, STATUS_DATA_LOSS, "%s is not the file that the manifest names", folder);
}

static void add(struct proof *sum, const struct proof *proof)
{
    sum->runs += proof->runs;
    sum->events += proof->events;
    sum->jobs += proof->jobs;
    sum->timers += proof->timers;
    sum->faults += proof->faults;
}

static status verify_partition(const char *folder, const struct manifest_partition *partition,
                               proof_listener *on_fault, void *context, struct proof *sum,
                               struct error *reterr)
{
    char path[STORE_PATH_MAX];
    TRY(path_of(folder, "", partition->index, path, reterr));
    TRY(verify_digest(path, partition, reterr));
    CLEANUP(store_closep) struct store *store = NULL;
    TRY(store_open_backup(path, table_names, &store, reterr));
    struct proof proof = {};
    TRY(proof_of_store(store, on_fault, context, &proof, reterr));
    add(sum, &proof);
    return STATUS_OK;
}

status backup_verify(const char *folder, proof_listener *on_fault, void *context,
                     struct backup_manifest *ret_manifest, struct proof *ret_proof,
                     struct error *reterr)
{
    TRY(backup_manifest_read(folder, ret_manifest, reterr));
    struct proof sum = {};
    for (uint16_t i = 0; i < ret_manifest->count; i++) {
        TRY(verify_partition(folder, &ret_manifest->partitions[i], on_fault, context, &sum,
                             reterr));
    }
    *ret_proof = sum;
    return STATUS_OK;
}

/* --- restoring ---------------------------------------------------------------------------------
 */

static void fd_closep(const int *fd)
{
    if (*fd >= 0) close(*fd);
}

static void bytes_freep(uint8_t **data)
{
    free(*data);
}

static status copy_file(const char *from, const char *to, struct error *reterr)
{
    CLEANUP(fd_closep) int in  = open(from, O_RDONLY | O_CLOEXEC);
    CLEANUP(fd_closep) int out = open(to, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (in < 0) return cannot("open", from, reterr);
    if (out < 0) return cannot("make", to, reterr);
    CLEANUP(bytes_freep) uint8_t *chunk = mem_new(1, CHUNK_BYTES);
    ssize_t got                         = 0;
    while ((got = read(in, chunk, CHUNK_BYTES)) > 0) {
        for (ssize_t done = 0; done < got;) {
            ssize_t written = write(out, chunk + done, (size_t)(got - done));
            if (written <= 0) return cannot("write", to, reterr);
            done += written;
        }
    }
    if (got < 0) return cannot("read", from, reterr);
    return fsync(out) == 0 ? STATUS_OK : cannot("sync", to, reterr);
}

static status copy_partition(const char *folder, const char *stage,
                             const struct manifest_partition *partition, struct error *reterr)
{
    char from[STORE_PATH_MAX];
    char to[STORE_PATH_MAX];
    TRY(path_of(stage, "", partition->index, to, reterr));
    if (mkdir(to, 0700) != 0) return cannot("make", to, reterr);
    TRY(path_of(folder, "/data.mdb", partition->index, from, reterr));
    TRY(path_of(stage, "/data.mdb", partition->index, to, reterr));
    TRY(copy_file(from, to, reterr));
    TRY(path_of(stage, "", partition->index, to, reterr));
    return verify_digest(to, partition, reterr);
}

static status raise_epoch(const char *stage, const struct backup_manifest *manifest,
                          const struct manifest_partition *partition, struct error *reterr)
{
    char path[STORE_PATH_MAX];
    struct stat file;
    TRY(path_of(stage, "/data.mdb", partition->index, path, reterr));
    if (stat(path, &file) != 0) return cannot("look at", path, reterr);
    const struct partition_options options = {
        .folder   = stage,
        .map_size = (uint64_t)file.st_size + RESTORE_MAP_SIZE,
        .index    = partition->index,
        .count    = manifest->partition_count,
    };
    return partition_raise_epoch(&options, reterr);
}

/* The folder around `path`, which has no slash at its end. */
static status sync_parent(const char *path, struct error *reterr)
{
    char parent[STORE_PATH_MAX] = ".";
    const char *slash           = strrchr(path, '/');
    if (slash == path) (void)snprintf(parent, sizeof parent, "/");
    if (slash && slash != path) {
        (void)snprintf(parent, sizeof parent, "%.*s", (int)(slash - path), path);
    }
    return disk_sync_folder(parent, reterr);
}

/* Data appears whole: it is put together beside its place, and renamed. */
static status place(const char *stage, const char *data, struct error *reterr)
{
    TRY(disk_sync_folder(stage, reterr));
    if (rename(stage, data) == 0) return sync_parent(data, reterr);
    if (errno != ENOTEMPTY && errno != EEXIST) return cannot("rename to", data, reterr);
    return fail(reterr, STATUS_ALREADY_EXISTS, "%s holds something: move it away first", data);
}

static status check_place(const char *data, char stage[static STORE_PATH_MAX], struct error *reterr)
{
    size_t name_len = strlen(data);
    int len         = snprintf(stage, STORE_PATH_MAX, "%s.restoring", data);
    if (len >= STORE_PATH_MAX || name_len == 0 || data[name_len - 1] == '/') {
        return fail(reterr, STATUS_INVALID_ARGUMENT,
                    "the data folder needs a name, shorter than %d bytes and without a slash at "
                    "its end",
                    STORE_PATH_MAX);
    }
    if (rmdir(data) != 0 && errno != ENOENT) {
        return fail(reterr, STATUS_ALREADY_EXISTS, "%s holds something: move it away first", data);
    }
    if (mkdir(stage, 0700) == 0) return STATUS_OK;
    if (errno != EEXIST) return cannot("make", stage, reterr);
    return fail(reterr, STATUS_ALREADY_EXISTS,
                "%s is there from a restore that was cut short: remove it first", stage);
}

/* --- the archive -------------------------------------------------------------------------------
 */

static status base_of(const char *stage, uint16_t partition, struct replay_base *ret_base,
                      struct error *reterr)
{
    char path[STORE_PATH_MAX];
    CLEANUP(store_closep) struct store *store = NULL;
    TRY(path_of(stage, "", partition, path, reterr));
    TRY(store_open_backup(path, table_names, &store, reterr));
    return replay_base_read(store, partition, ret_base, reterr);
}

/* The moment that all partitions can be brought to. */
static status find_moment(const struct restore_order *order, const char *stage,
                          const struct backup_manifest *manifest, int64_t *ret_until_us,
                          struct error *reterr)
{
    char text[TIME_TEXT_SIZE];
    int64_t until_us  = order->until_us;
    int64_t newest_us = manifest->created_us;
    for (uint16_t i = 0; i < manifest->count; i++) {
        struct replay_base base = {};
        int64_t reach_us        = 0;
        TRY(base_of(stage, manifest->partitions[i].index, &base, reterr));
        TRY(replay_reach(order->archive, &base, &reach_us, reterr));
        if (base.at_us > newest_us) newest_us = base.at_us;
        if (reach_us < until_us) until_us = reach_us;
    }
    time_format(newest_us, text);
    if (order->until_us < newest_us) {
        return fail(reterr, STATUS_INVALID_ARGUMENT,
                    "the backup is of %s, which is later: choose an older backup", text);
    }
    *ret_until_us = until_us > newest_us ? until_us : newest_us;
    return STATUS_OK;
}

static status replay_partition(const struct restore_order *order, const char *stage,
                               const struct manifest_partition *partition,
                               struct restored *restored, struct error *reterr)
{
    char path[STORE_PATH_MAX];
    struct replay_base base                   = {};
    uint64_t room_bytes                       = 0;
    CLEANUP(store_closep) struct store *store = NULL;
    TRY(path_of(stage, "", partition->index, path, reterr));
    TRY(base_of(stage, partition->index, &base, reterr));
    TRY(replay_room(order->archive, &base, &room_bytes, reterr));
    const struct store_options options = {.path     = path,
                                          .size_max = partition->info.size_bytes +
                                                      RESTORE_MAP_SIZE + room_bytes,
                                          .tables = table_names};
    TRY(store_open(&options, &store, reterr));
    return replay_until(store, order->archive, &base, restored->until_us, &restored->replayed,
                        reterr);
}

/* The first fault is the text of the refusal. */
static void keep_first(const char *text, void *context)
{
    struct error *first = context;
    if (!*first->text) (void)fail(first, STATUS_DATA_LOSS, "%s", text);
}

static status prove_partition(const char *stage, uint16_t partition, struct restored *restored,
                              struct error *reterr)
{
    char path[STORE_PATH_MAX];
    struct proof proof                        = {};
    struct error first                        = {};
    CLEANUP(store_closep) struct store *store = NULL;
    TRY(path_of(stage, "", partition, path, reterr));
    TRY(store_open_backup(path, table_names, &store, reterr));
    TRY(proof_of_store(store, keep_first, &first, &proof, reterr));
    add(&restored->proof, &proof);
    if (proof.faults == 0) return STATUS_OK;
    return fail(reterr, STATUS_DATA_LOSS, "what the archive makes does not fit together: %s",
                first.text);
}

/* --- what was erased since ---------------------------------------------------------------------
 */

/* The folder that a backup is in. */
static status folder_around(const char *backup, char folder[static STORE_PATH_MAX],
                            struct error *reterr)
{
    int len = snprintf(folder, STORE_PATH_MAX, "%s", backup);
    if (len >= STORE_PATH_MAX) return fail(reterr, STATUS_INVALID_ARGUMENT, "path too long");
    while (len > 1 && folder[len - 1] == '/') folder[--len] = '\0';
    char *slash = strrchr(folder, '/');
    if (!slash) {
        (void)snprintf(folder, STORE_PATH_MAX, ".");
    } else {
        slash[slash == folder ? 1 : 0] = '\0';
    }
    return STATUS_OK;
}

struct joining {
    struct store *store;
    struct txn *txn;
    size_t pending; /* in it */
    uint64_t count;
};

static status join_line(const struct erasure *erasure, void *context, struct error *reterr)
{
    struct joining *joining = context;
    bool is_new             = false;
    TRY(erasures_add_due(joining->txn, erasure, &is_new, reterr));
    if (is_new) joining->count++;
    if (++joining->pending < JOINED_PER_COMMIT) return STATUS_OK;
    joining->pending = 0;
    TRY(txn_commit(TAKE(joining->txn), reterr));
    return txn_begin_write(joining->store, &joining->txn, reterr);
}

static status join_list(struct store *store, const char *file, uint64_t *ret_count,
                        struct error *reterr)
{
    struct erasure_damage damage = {};
    struct joining joining       = {.store = store};
    TRY(txn_begin_write(store, &joining.txn, reterr));
    status read = erasure_file_read(file, join_line, &joining, &damage, reterr);
    if (read == STATUS_OK && damage.line > 0 && !damage.is_end) {
        read = fail(reterr, STATUS_DATA_LOSS,
                    "%s: line %" PRIu64 " is damaged: which run it names is not known; take it out "
                    "to restore without it",
                    file, damage.line);
    }
    if (read == STATUS_OK) read = txn_commit(TAKE(joining.txn), reterr);
    if (joining.txn) txn_abort(joining.txn);
    *ret_count = joining.count;
    return read;
}

static status join_erasures(const struct restore_order *order, const char *stage,
                            const struct manifest_partition *partition, struct restored *restored,
                            struct error *reterr)
{
    char folder[STORE_PATH_MAX];
    char file[STORE_PATH_MAX];
    char path[STORE_PATH_MAX];
    struct stat data                          = {};
    struct stat list                          = {};
    uint64_t count                            = 0;
    CLEANUP(store_closep) struct store *store = NULL;
    TRY(folder_around(order->folder, folder, reterr));
    TRY(erasure_file_path(order->erasures ? order->erasures : folder, partition->index, file,
                          reterr));
    TRY(path_of(stage, "/data.mdb", partition->index, path, reterr));
    if (stat(path, &data) != 0) return cannot("look at", path, reterr);
    if (stat(file, &list) != 0) {
        if (errno != ENOENT) return cannot("look at", file, reterr);
        restored->unlisted++;
        return STATUS_OK;
    }
    TRY(path_of(stage, "", partition->index, path, reterr));
    const struct store_options options = {.path     = path,
                                          .size_max = (uint64_t)data.st_size + RESTORE_MAP_SIZE +
                                                      ROOM_PER_LINE * (uint64_t)list.st_size,
                                          .tables = table_names};
    TRY(store_open(&options, &store, reterr));
    TRY(join_list(store, file, &count, reterr));
    restored->erasures += count;
    return STATUS_OK;
}

/* --- all of it ---------------------------------------------------------------------------------
 */

static status restore_all(const struct restore_order *order, const char *stage,
                          const struct backup_manifest *manifest, struct restored *restored,
                          struct error *reterr)
{
    const struct manifest_partition *partitions = manifest->partitions;
    for (uint16_t i = 0; i < manifest->count; i++) {
        TRY(copy_partition(order->folder, stage, &partitions[i], reterr));
    }
    restored->until_us = manifest->created_us;
    if (order->archive) TRY(find_moment(order, stage, manifest, &restored->until_us, reterr));
    for (uint16_t i = 0; i < manifest->count; i++) {
        if (order->archive) TRY(replay_partition(order, stage, &partitions[i], restored, reterr));
        TRY(join_erasures(order, stage, &partitions[i], restored, reterr));
        TRY(raise_epoch(stage, manifest, &partitions[i], reterr));
        if (order->archive) TRY(prove_partition(stage, partitions[i].index, restored, reterr));
    }
    return STATUS_OK;
}

/* So that the next try finds its place free. */
static void remove_stage(const char *stage, const struct backup_manifest *manifest)
{
    static const char *const files[] = {"/data.mdb", "/lock.mdb", "/owner",   "/poison",
                                        "/wal.0",    "/wal.1",    "/wal.new", ""};
    char path[STORE_PATH_MAX];
    for (uint16_t i = 0; i < manifest->count; i++) {
        for (size_t f = 0; f < ARRAY_LEN(files); f++) {
            if (path_of(stage, files[f], manifest->partitions[i].index, path, NULL) != STATUS_OK) {
                return;
            }
            (void)remove(path);
        }
    }
    (void)rmdir(stage);
}

status backup_restore(const struct restore_order *order, struct backup_manifest *ret_manifest,
                      struct restored *ret_restored, struct error *reterr)
{
    char stage[STORE_PATH_MAX];
    struct restored restored = {};
    TRY(backup_manifest_read(order->folder, ret_manifest, reterr));
    TRY(check_place(order->data, stage, reterr));
    status done = restore_all(order, stage, ret_manifest, &restored, reterr);
    if (done == STATUS_OK) done = place(stage, order->data, reterr);
    if (done != STATUS_OK) remove_stage(stage, ret_manifest);
    if (done == STATUS_OK) *ret_restored = restored;
    return done;
}
