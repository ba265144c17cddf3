#include "scheduler/backups/manifest.h"

#include "base/mem.h"
#include "json/json_text.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { HEX_SIZE = SHA256_SIZE * 2 + 1 };

struct backup_manifest *backup_manifest_new(void)
{
    return mem_new(1, sizeof(struct backup_manifest));
}

void backup_manifest_freep(struct backup_manifest **manifest)
{
    free(*manifest);
    *manifest = NULL;
}

bool backup_name_is_valid(str name)
{
    if (name.len == 0 || name.len > BACKUP_NAME_MAX || name.ptr[0] == '-') return false;
    for (size_t i = 0; i < name.len; i++) {
        char c = name.ptr[i];
        if (!(c >= 'a' && c <= 'z') && !(c >= '0' && c <= '9') && c != '-') return false;
    }
    return true;
}

uint64_t backup_manifest_size_bytes(const struct backup_manifest *manifest)
{
    uint64_t size_bytes = 0;
    for (uint16_t i = 0; i < manifest->count; i++) {
        size_bytes += manifest->partitions[i].info.size_bytes;
    }
    return size_bytes;
}

/* --- writing -----------------------------------------------------------------------------------
 */

static json partition_json_new(const struct manifest_partition *partition)
{
    char digest[HEX_SIZE];
    hex_encode(partition->info.sha256, SHA256_SIZE, digest);
    json value = json_object_new(6);
    json_object_put_text(&value, "partition", json_int(partition->index));
    json_object_put_text(&value, "epoch", json_int(partition->epoch));
    json_object_put_text(&value, "size_bytes", json_int((int64_t)partition->info.size_bytes));
    json_object_put_text(&value, "sha256", json_text_from(digest));
    if (partition->sequence == 0) return value;
    char timeline[2 * REDO_TIMELINE_SIZE + 1];
    hex_encode(partition->timeline, REDO_TIMELINE_SIZE, timeline);
    json_object_put_text(&value, "timeline", json_text_from(timeline));
    json_object_put_text(&value, "sequence", json_int((int64_t)partition->sequence));
    return value;
}

static json backup_manifest_json_new(const struct backup_manifest *manifest)
{
    char created[TIME_TEXT_SIZE];
    time_format(manifest->created_us, created);
    json partitions = json_array_new(manifest->count);
    for (uint16_t i = 0; i < manifest->count; i++) {
        json_array_push(&partitions, partition_json_new(&manifest->partitions[i]));
    }
    json value = json_object_new(7);
    json_object_put_text(&value, "format", json_int(MANIFEST_FORMAT));
    json_object_put_text(&value, "name", json_text_from(manifest->name));
    json_object_put_text(&value, "version", json_text_from(manifest->version));
    json_object_put_text(&value, "created_at", json_text_from(created));
    json_object_put_text(&value, "created_us", json_int(manifest->created_us));
    json_object_put_text(&value, "partition_count", json_int(manifest->partition_count));
    json_object_put_text(&value, "partitions", partitions);
    return value;
}

bool backup_manifest_print(const struct backup_manifest *manifest, struct buf *out)
{
    CLEANUP(json_unrefp) json value = backup_manifest_json_new(manifest);
    return json_print(value, JSON_PRETTY, out) && buf_put_byte(out, '\n');
}

static void fd_closep(const int *fd)
{
    if (*fd >= 0) close(*fd);
}

static void path_of(const char *folder, char path[static STORE_PATH_MAX])
{
    (void)snprintf(path, STORE_PATH_MAX, "%s/manifest.json", folder);
}

status backup_manifest_write(const struct backup_manifest *manifest, const char *folder,
                             struct error *reterr)
{
    CLEANUP(buf_done) struct buf text = buf_init(MANIFEST_SIZE_MAX);
    if (!backup_manifest_print(manifest, &text)) {
        return fail(reterr, STATUS_RESOURCE_EXHAUSTED, "backup: the manifest is too large");
    }
    char path[STORE_PATH_MAX];
    path_of(folder, path);
    CLEANUP(fd_closep) int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0) return fail(reterr, STATUS_UNAVAILABLE, "backup: make %s: %m", path);
    bool is_written = write(fd, text.ptr, text.len) == (ssize_t)text.len && fsync(fd) == 0;
    if (is_written) return STATUS_OK;
    return fail(reterr, errno == ENOSPC ? STATUS_RESOURCE_EXHAUSTED : STATUS_UNAVAILABLE,
                "backup: write %s: %m", path);
}

/* --- reading -----------------------------------------------------------------------------------
 */

static bool read_number(json object, const char *name, int64_t max, int64_t *ret_value)
{
    return json_to_int(json_get_text(object, name), ret_value) && *ret_value >= 0 &&
           *ret_value <= max;
}

static bool read_text(json object, const char *name, char *ret_text, size_t size)
{
    json value = json_get_text(object, name);
    if (!json_is(value, JSON_TEXT) || json_str(value).len >= size) return false;
    memcpy(ret_text, json_str(value).ptr, json_str(value).len);
    ret_text[json_str(value).len] = '\0';
    return true;
}

/* A backup that was made without an archive has none. */
static bool read_archive_place(json value, struct manifest_partition *partition)
{
    char timeline[2 * REDO_TIMELINE_SIZE + 1];
    int64_t sequence    = 0;
    partition->sequence = 0;
    if (!json_is_number(json_get_text(value, "sequence"))) return true;
    if (!read_number(value, "sequence", INT64_MAX, &sequence) ||
        !read_text(value, "timeline", timeline, sizeof timeline) ||
        strlen(timeline) != sizeof timeline - 1) {
        return false;
    }
    partition->sequence = (uint64_t)sequence;
    return hex_decode(str_from(timeline), partition->timeline, REDO_TIMELINE_SIZE);
}

static bool read_partition(json value, struct manifest_partition *partition)
{
    char digest[HEX_SIZE];
    int64_t index      = 0;
    int64_t epoch      = 0;
    int64_t size_bytes = 0;
    bool is_whole      = read_number(value, "partition", MANIFEST_PARTITIONS_MAX - 1, &index) &&
                    read_number(value, "epoch", UINT32_MAX, &epoch) &&
                    read_number(value, "size_bytes", INT64_MAX, &size_bytes) &&
                    read_text(value, "sha256", digest, sizeof digest);
    if (!is_whole || strlen(digest) != sizeof digest - 1) return false;
    partition->index           = (uint16_t)index;
    partition->epoch           = (uint32_t)epoch;
    partition->info.size_bytes = (uint64_t)size_bytes;
    if (!read_archive_place(value, partition)) return false;
    return hex_decode(str_from(digest), partition->info.sha256, SHA256_SIZE);
}

static bool read_members(json value, struct backup_manifest *manifest)
{
    int64_t count = 0;
    bool is_whole = read_text(value, "name", manifest->name, sizeof manifest->name) &&
                    backup_name_is_valid(str_from(manifest->name)) &&
                    read_text(value, "version", manifest->version, sizeof manifest->version) &&
                    read_number(value, "created_us", INT64_MAX, &manifest->created_us) &&
                    read_number(value, "partition_count", MANIFEST_PARTITIONS_MAX, &count);
    json partitions = json_get_text(value, "partitions");
    if (!is_whole || !json_is(partitions, JSON_ARRAY)) return false;
    if (json_count(partitions) == 0 || json_count(partitions) > (size_t)count) return false;
    manifest->partition_count = (uint16_t)count;
    manifest->count           = 0;
    int32_t last              = -1; /* ascending, so that none stands there twice */
    for (size_t i = 0; i < json_count(partitions); i++) {
        struct manifest_partition *partition = &manifest->partitions[manifest->count++];
        if (!read_partition(json_at(partitions, i), partition)) return false;
        if (partition->index >= count || partition->index <= last) return false;
        last = partition->index;
    }
    return true;
}

static status read_file(const char *path, struct buf *text, struct error *reterr)
{
    CLEANUP(fd_closep) int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return fail(reterr, errno == ENOENT ? STATUS_NOT_FOUND : STATUS_UNAVAILABLE, "%s: %m",
                    path);
    }
    char chunk[4096];
    ssize_t got = 0;
    while ((got = read(fd, chunk, sizeof chunk)) > 0) {
        if (!buf_put(text, chunk, (size_t)got)) {
            return fail(reterr, STATUS_DATA_LOSS, "%s: larger than a manifest can be", path);
        }
    }
    return got == 0 ? STATUS_OK : fail(reterr, STATUS_UNAVAILABLE, "%s: %m", path);
}

status backup_manifest_parse(str text, const char *where, struct backup_manifest *manifest,
                             struct error *reterr)
{
    CLEANUP(json_unrefp) json value = json_invalid();
    int64_t format                  = 0;
    bool is_json                    = json_parse(text, NULL, &value, NULL, NULL) == STATUS_OK &&
                   read_number(value, "format", INT64_MAX, &format);
    if (is_json && format > MANIFEST_FORMAT) {
        return fail(reterr, STATUS_FAILED_PRECONDITION,
                    "%s: format %" PRId64 ", and this release knows %d: use the one that wrote it",
                    where, format, MANIFEST_FORMAT);
    }
    if (is_json && read_members(value, manifest)) return STATUS_OK;
    return fail(reterr, STATUS_DATA_LOSS, "%s: this is no manifest of a backup", where);
}

status backup_manifest_read(const char *folder, struct backup_manifest *manifest,
                            struct error *reterr)
{
    char path[STORE_PATH_MAX];
    path_of(folder, path);
    CLEANUP(buf_done) struct buf text = buf_init(MANIFEST_SIZE_MAX);
    TRY(read_file(path, &text, reterr));
    return backup_manifest_parse(buf_str(&text), path, manifest, reterr);
}
