/* Bytes as manifest.json of a backup: whatever they are, they are read or refused. What is read is
 * within its limits, and the same when it was written and read again. */
#include "scheduler/backups/manifest.h"

#include "base/assert.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_limits(const struct backup_manifest *manifest)
{
    ASSERT(backup_name_is_valid(str_from(manifest->name)));
    ASSERT(manifest->count > 0 && manifest->count <= manifest->partition_count);
    ASSERT(manifest->partition_count <= MANIFEST_PARTITIONS_MAX);
    for (uint16_t i = 0; i < manifest->count; i++) {
        ASSERT(manifest->partitions[i].index < manifest->partition_count);
        ASSERT(i == 0 || manifest->partitions[i - 1].index < manifest->partitions[i].index);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size > MANIFEST_SIZE_MAX) return 0;
    struct error error                                              = {};
    CLEANUP(backup_manifest_freep) struct backup_manifest *manifest = backup_manifest_new();
    CLEANUP(backup_manifest_freep) struct backup_manifest *again    = backup_manifest_new();
    CLEANUP(buf_done) struct buf once  = buf_init(2 * MANIFEST_SIZE_MAX);
    CLEANUP(buf_done) struct buf twice = buf_init(2 * MANIFEST_SIZE_MAX);
    const str text                     = {.ptr = (const char *)data, .len = size};
    if (backup_manifest_parse(text, "it", manifest, &error) != STATUS_OK) {
        ASSERT(error.text[0]);
        return 0;
    }
    check_limits(manifest);
    (void)backup_manifest_size_bytes(manifest);
    ASSERT(backup_manifest_print(manifest, &once));
    ASSERT(backup_manifest_parse(buf_str(&once), "it", again, NULL) == STATUS_OK);
    ASSERT(backup_manifest_print(again, &twice));
    ASSERT(str_equal(buf_str(&once), buf_str(&twice)));
    return 0;
}
