#include "scheduler/engine/partition.h"

#include "base/assert.h"
#include "base/buf.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/random.h"
#include "scheduler/tables/tables.h"
#include "store/disk.h"

#include <endian.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

enum {
    PROBE_ROUNDS = 20,
    EPOCH_FIRST  = 1,
};

/* As the table holds it. */
static const struct store_guard guard = {
    .table   = TABLE_META,
    .key     = {(const uint8_t *)"format", 6},
    .lowered = {(const uint8_t[]){0, 0, 0, PARTITION_FORMAT}, 4},
    .raised  = {(const uint8_t[]){0, 0, 0, PARTITION_FORMAT_LOGGED}, 4},
};

/* --- meta --------------------------------------------------------------------------------------
 */

static bytes name_of(const char *name)
{
    return bytes_from(str_from(name));
}

/* Reads a number, or writes `initial` where there is none. */
static status meta_number(struct txn *txn, const char *name, uint32_t initial, uint32_t *ret_value,
                          struct error *reterr)
{
    bytes row  = {};
    status got = txn_get(txn, TABLE_META, name_of(name), &row, NULL);
    if (got == STATUS_NOT_FOUND) {
        uint32_t raw = htobe32(initial);
        *ret_value   = initial;
        return txn_put(txn, TABLE_META, name_of(name), (bytes){&raw, sizeof raw}, reterr);
    }
    if (got != STATUS_OK) return fail(reterr, got, "meta: %s cannot be read", name);
    if (row.len != sizeof(uint32_t)) return fail(reterr, STATUS_DATA_LOSS, "meta: %s", name);
    *ret_value = u32_from(row.ptr);
    return STATUS_OK;
}

static status meta_lease_key(struct txn *txn, struct lease_key *ret_key, struct error *reterr)
{
    bytes row  = {};
    status got = txn_get(txn, TABLE_META, name_of("lease_key"), &row, NULL);
    if (got == STATUS_NOT_FOUND) {
        random_bytes(ret_key->data, sizeof ret_key->data);
        return txn_put(txn, TABLE_META, name_of("lease_key"),
                       (bytes){ret_key->data, sizeof ret_key->data}, reterr);
    }
    if (got != STATUS_OK) return fail(reterr, got, "meta: lease_key cannot be read");
    if (row.len != sizeof ret_key->data) return fail(reterr, STATUS_DATA_LOSS, "meta: lease_key");
    memcpy(ret_key->data, row.ptr, row.len);
    return STATUS_OK;
}

static status meta_check(struct partition *partition, struct error *reterr)
{
    CLEANUP(txn_abortp) struct txn *txn = NULL;
    TRY(txn_begin_write(partition->store, &txn, reterr));

    uint32_t format = 0;
    uint32_t index  = 0;
    uint32_t count  = 0;
    TRY(meta_number(txn, "format", PARTITION_FORMAT, &format, reterr)); /* see check_format() */
    TRY(meta_number(txn, "partition_count", partition->count, &count, reterr));
    TRY(meta_number(txn, "partition", partition->index, &index, reterr));
    if (count != partition->count || index != partition->index) {
        return fail(reterr, STATUS_FAILED_PRECONDITION,
                    "the data is partition %u of %u, configured is %u of %u: the number of "
                    "partitions is fixed when the data folder is made",
                    index, count, partition->index, partition->count);
    }
    TRY(meta_number(txn, "epoch", EPOCH_FIRST, &partition->epoch, reterr));
    TRY(meta_lease_key(txn, &partition->lease_key, reterr));
    return txn_commit(TAKE(txn), reterr);
}

/* --- open --------------------------------------------------------------------------------------
 */

/* Before anything is written: what a newer release has made is not touched. */
static status check_format(struct store *store, struct error *reterr)
{
    CLEANUP(txn_abortp) struct txn *txn = NULL;
    bytes row                           = {};
    TRY(txn_begin_read(store, &txn, reterr));
    status got = txn_get(txn, TABLE_META, name_of("format"), &row, NULL);
    if (got == STATUS_NOT_FOUND) return STATUS_OK; /* it is new */
    if (got != STATUS_OK) return fail(reterr, got, "meta: format cannot be read");
    if (row.len != sizeof(uint32_t)) return fail(reterr, STATUS_DATA_LOSS, "meta: format");
    uint32_t format = u32_from(row.ptr);
    if (format == PARTITION_FORMAT || format == PARTITION_FORMAT_LOGGED) return STATUS_OK;
    return fail(reterr, STATUS_FAILED_PRECONDITION,
                "the data has format %u, this release reads %d: use the release that wrote it",
                format, PARTITION_FORMAT_LOGGED);
}

/* At most a quarter of the map: redo that nobody takes must not fill the store. */
static status open_redo(const struct partition_options *options, struct store *store,
                        struct error *reterr)
{
    if (!options->redo_clock) return store_redo_drop(store, TABLE_REDO, reterr);
    uint64_t part_of_map           = options->map_size / 4;
    bool is_small                  = options->redo_bytes_max < part_of_map;
    const struct redo_options redo = {.table     = TABLE_REDO,
                                      .bytes_max = is_small ? options->redo_bytes_max : part_of_map,
                                      .clock     = *options->redo_clock};
    return store_redo_keep(store, &redo, reterr);
}

static status open_folder(const struct partition_options *options, struct partition *partition,
                          struct error *reterr)
{
    char *path  = partition->path;
    int written = snprintf(path, STORE_PATH_MAX, "%s/p%u", options->folder, options->index);
    if (written < 0 || written >= STORE_PATH_MAX) {
        return fail(reterr, STATUS_UNAVAILABLE, "%s: path too long", options->folder);
    }
    if (mkdir(path, 0700) && errno != EEXIST) {
        return fail(reterr, STATUS_UNAVAILABLE, "%s: %m", path);
    }
    const struct store_options store_options = {
        .path = path, .size_max = options->map_size, .tables = table_names, .guard = &guard};
    TRY(store_open(&store_options, &partition->store, reterr));
    TRY(check_format(partition->store, reterr));
    TRY(open_redo(options, partition->store, reterr));
    return poison_open(path, &partition->poison, reterr);
}

status partition_open(const struct partition_options *options, struct partition **ret_partition,
                      struct error *reterr)
{
    ASSERT(options->count > 0 && options->count <= PARTITIONS_MAX);
    ASSERT(options->index < options->count);
    CLEANUP(partition_closep) struct partition *partition = mem_new(1, sizeof *partition);
    partition->index                                      = options->index;
    partition->count                                      = options->count;

    if (options->folder) {
        TRY(open_folder(options, partition, reterr));
    } else {
        const struct store_options store_options = {.size_max = options->map_size,
                                                    .tables   = table_names};
        partition->store                         = store_open_memory(&store_options);
    }
    TRY(meta_check(partition, reterr));
    *ret_partition = TAKE(partition);
    return STATUS_OK;
}

void partition_probe(struct partition *partition)
{
    int64_t us       = 0;
    struct error why = {};
    if (!*partition->path) return;
    if (disk_probe_sync(partition->path, PROBE_ROUNDS, &us, &why) != STATUS_OK) {
        log_write(LOG_WARN, "store.sync_unknown", LOG_INT("partition", partition->index),
                  LOG_TEXT_OF("error", why.text));
        return;
    }
    atomic_store(&partition->sync_probe_us, us);
    log_write(LOG_INFO, "store.sync_measured", LOG_INT("partition", partition->index),
              LOG_INT("sync_probe_us", us));
}

status partition_raise_epoch(const struct partition_options *options, struct error *reterr)
{
    CLEANUP(partition_closep) struct partition *partition = NULL;
    CLEANUP(txn_abortp) struct txn *txn                   = NULL;
    TRY(partition_open(options, &partition, reterr));
    uint32_t epoch       = htobe32(partition->epoch + 1);
    struct lease_key key = {};
    random_bytes(key.data, sizeof key.data);
    TRY(txn_begin_write(partition->store, &txn, reterr));
    TRY(txn_put(txn, TABLE_META, name_of("epoch"), (bytes){&epoch, sizeof epoch}, reterr));
    TRY(txn_put(txn, TABLE_META, name_of("lease_key"), (bytes){key.data, sizeof key.data}, reterr));
    return txn_commit(TAKE(txn), reterr);
}

void partition_close(struct partition *partition)
{
    if (!partition) return;
    store_close(partition->store);
    poison_close(partition->poison);
    free(partition);
}

void partition_closep(struct partition **partition)
{
    partition_close(*partition);
    *partition = NULL;
}

uint16_t partition_of_text(str namespace, str text, uint16_t count)
{
    const bytes parts[] = {bytes_from(namespace), {"\x1f", 1}, bytes_from(text)};
    uint8_t digest[SHA256_SIZE];
    sha256_parts(parts, ARRAY_LEN(parts), digest);
    return (uint16_t)(u64_from(digest) % count);
}
