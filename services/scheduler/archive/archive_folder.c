#include "scheduler/archive/archive_folder.h"

#include "base/mem.h"
#include "store/disk.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    TIMELINE_DIGITS = 2 * REDO_TIMELINE_SIZE,
    SEQUENCE_DIGITS = 20,
    NAME_LEN        = TIMELINE_DIGITS + 1 + SEQUENCE_DIGITS + 5, /* of ".redo" */
    FILE_SIZE_MAX   = SEGMENT_SIZE_MAX + SEGMENT_HEAD_SIZE,
    COVERED_MAX     = 128,     /* bytes */
    CHUNK_BYTES     = 1 << 16, /* read at once */
};

static void fd_closep(const int *fd)
{
    if (*fd >= 0) close(*fd);
}

static status cannot(const char *action, const char *path, struct error *reterr)
{
    bool is_full = errno == ENOSPC || errno == EDQUOT;
    return fail(reterr, is_full ? STATUS_RESOURCE_EXHAUSTED : STATUS_UNAVAILABLE,
                "archive: %s %s: %m", action, path);
}

static status path_in(const char *folder, const char *name, char path[static STORE_PATH_MAX],
                      struct error *reterr)
{
    int len = snprintf(path, STORE_PATH_MAX, "%s/%s", folder, name);
    if (len < STORE_PATH_MAX) return STATUS_OK;
    return fail(reterr, STATUS_INVALID_ARGUMENT, "archive: %s: path too long", folder);
}

status archive_path(const char *folder, uint16_t partition, char path[static STORE_PATH_MAX],
                    struct error *reterr)
{
    char name[16];
    (void)snprintf(name, sizeof name, "p%u", partition);
    return path_in(folder, name, path, reterr);
}

/* --- listing -----------------------------------------------------------------------------------
 */

void archive_list_done(struct archive_list *list)
{
    free(list->entries);
    *list = (struct archive_list){};
}

static bool read_name(const char *name, struct segment_head *ret_head)
{
    if (strlen(name) != NAME_LEN || name[TIMELINE_DIGITS] != '-') return false;
    const char *digits = name + TIMELINE_DIGITS + 1;
    if (strcmp(digits + SEQUENCE_DIGITS, ".redo") != 0) return false;
    if (!hex_decode((str){name, TIMELINE_DIGITS}, ret_head->timeline, REDO_TIMELINE_SIZE)) {
        return false;
    }
    for (int i = 0; i < SEQUENCE_DIGITS; i++) {
        if (digits[i] < '0' || digits[i] > '9') return false;
    }
    errno           = 0;
    ret_head->first = strtoull(digits, NULL, 10);
    return errno == 0;
}

static status read_head(const char *path, struct archive_entry *entry, struct error *reterr)
{
    char file[STORE_PATH_MAX];
    uint8_t raw[SEGMENT_HEAD_SIZE];
    struct segment_head named = entry->head;
    TRY(path_in(path, entry->name, file, reterr));
    CLEANUP(fd_closep) int fd = open(file, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return cannot("open", file, reterr);
    ssize_t got = read(fd, raw, sizeof raw);
    if (got < 0) return cannot("read", file, reterr);
    bytes head       = {raw, (size_t)got};
    bool is_readable = segment_head_read(head, file, &entry->head, NULL) == STATUS_OK;
    bool is_of_name  = is_readable && entry->head.first == named.first &&
                      memcmp(entry->head.timeline, named.timeline, sizeof named.timeline) == 0;
    entry->is_damaged = !is_of_name;
    if (entry->is_damaged) entry->head = named;
    return STATUS_OK;
}

static int by_order(const void *a, const void *b)
{
    const struct archive_entry *left  = a;
    const struct archive_entry *right = b;
    return strcmp(left->name, right->name); /* timeline, then digits */
}

static void *grown(struct archive_entry *entries, size_t count)
{
    bool is_power = (count & (count - 1)) == 0; /* 0 and 1 are */
    if (!is_power) return entries;
    size_t room                  = count == 0 ? 1 : 2 * count;
    struct archive_entry *larger = mem_new(room, sizeof *larger);
    if (count > 0) memcpy(larger, entries, count * sizeof *larger);
    free(entries);
    return larger;
}

static status add_entry(const char *path, const char *name, const uint8_t *timeline,
                        struct archive_list *list, struct error *reterr)
{
    struct archive_entry entry = {};
    if (!read_name(name, &entry.head)) return STATUS_OK;
    if (timeline && memcmp(entry.head.timeline, timeline, REDO_TIMELINE_SIZE) != 0) {
        return STATUS_OK;
    }
    if (list->count >= ARCHIVE_SEGMENTS_MAX) {
        return fail(reterr, STATUS_RESOURCE_EXHAUSTED, "archive: %s: more than %d segments", path,
                    ARCHIVE_SEGMENTS_MAX);
    }
    memcpy(entry.name, name, NAME_LEN + 1);
    TRY(read_head(path, &entry, reterr));
    list->entries                = grown(list->entries, list->count);
    list->entries[list->count++] = entry;
    return STATUS_OK;
}

status archive_list_read(const char *path, const uint8_t *timeline, struct archive_list *ret_list,
                         struct error *reterr)
{
    *ret_list = (struct archive_list){};
    DIR *dir  = opendir(path);
    if (!dir && errno == ENOENT) return STATUS_OK;
    if (!dir) return cannot("open", path, reterr);
    const struct dirent *entry = NULL;
    status added               = STATUS_OK;
    /* glibc's readdir() is safe for different directories. */
    /* NOLINTNEXTLINE(concurrency-mt-unsafe) */
    while (added == STATUS_OK && (entry = readdir(dir))) {
        added = add_entry(path, entry->d_name, timeline, ret_list, reterr);
    }
    (void)closedir(dir);
    if (ret_list->count > 0) {
        qsort(ret_list->entries, ret_list->count, sizeof *ret_list->entries, by_order);
    }
    return added;
}

void archive_remove_partial(const char *path)
{
    static const char suffix[] = ".partial";
    char file[STORE_PATH_MAX];
    DIR *dir = opendir(path);
    if (!dir) return;
    const struct dirent *entry = NULL;
    /* NOLINTNEXTLINE(concurrency-mt-unsafe): as above */
    while ((entry = readdir(dir))) {
        size_t len = strlen(entry->d_name);
        size_t end = sizeof suffix - 1;
        if (len <= end || strcmp(entry->d_name + len - end, suffix) != 0) continue;
        if (path_in(path, entry->d_name, file, NULL) == STATUS_OK) (void)unlink(file);
    }
    (void)closedir(dir);
}

/* --- files -------------------------------------------------------------------------------------
 */

static status read_into(const char *file, struct buf *to, struct error *reterr)
{
    CLEANUP(fd_closep) int fd = open(file, O_RDONLY | O_CLOEXEC);
    if (fd < 0 && errno == ENOENT) return fail(reterr, STATUS_NOT_FOUND, "archive: no %s", file);
    if (fd < 0) return cannot("open", file, reterr);
    for (;;) {
        char *room = buf_reserve(to, CHUNK_BYTES);
        if (!room) return fail(reterr, STATUS_DATA_LOSS, "%s: larger than it can be", file);
        ssize_t got = read(fd, room, CHUNK_BYTES);
        if (got < 0) return cannot("read", file, reterr);
        if (got == 0) return STATUS_OK;
        buf_commit(to, (size_t)got);
    }
}

status archive_file_read(const char *path, const char *name, struct buf *to, struct error *reterr)
{
    char file[STORE_PATH_MAX];
    buf_done(to);
    *to = buf_init(FILE_SIZE_MAX + CHUNK_BYTES);
    TRY(path_in(path, name, file, reterr));
    status read = read_into(file, to, reterr);
    return read == STATUS_NOT_FOUND ? STATUS_UNAVAILABLE : read;
}

status archive_covered_write(const char *path, const struct archive_covered *covered,
                             struct error *reterr)
{
    char file[STORE_PATH_MAX];
    char partial[STORE_PATH_MAX];
    char timeline[TIMELINE_DIGITS + 1];
    char line[COVERED_MAX];
    TRY(path_in(path, "covered", file, reterr));
    TRY(path_in(path, "covered.partial", partial, reterr));
    hex_encode(covered->timeline, REDO_TIMELINE_SIZE, timeline);
    int len = snprintf(line, sizeof line, "%s %" PRIu64 " %" PRId64 "\n", timeline,
                       covered->sequence, covered->until_us);
    CLEANUP(fd_closep) int fd = open(partial, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0) return cannot("make", partial, reterr);
    if (write(fd, line, (size_t)len) != len) return cannot("write", partial, reterr);
    if (fsync(fd) != 0) return cannot("sync", partial, reterr);
    if (rename(partial, file) != 0) return cannot("rename to", file, reterr);
    return disk_sync_folder(path, reterr);
}

static bool read_number(const char **at, char end, uint64_t *ret_value)
{
    char *behind = NULL;
    if (**at < '0' || **at > '9') return false;
    errno      = 0;
    *ret_value = strtoull(*at, &behind, 10);
    if (errno != 0 || *behind != end || *ret_value > INT64_MAX) return false;
    *at = behind + 1;
    return true;
}

static bool read_covered(const struct buf *text, struct archive_covered *ret_covered)
{
    uint64_t until_us = 0;
    if (text->len <= TIMELINE_DIGITS || text->len >= COVERED_MAX) return false;
    const char *at = text->ptr + TIMELINE_DIGITS + 1;
    bool is_line =
        at[-1] == ' ' &&
        hex_decode((str){text->ptr, TIMELINE_DIGITS}, ret_covered->timeline, REDO_TIMELINE_SIZE) &&
        read_number(&at, ' ', &ret_covered->sequence) && read_number(&at, '\n', &until_us) &&
        at == text->ptr + text->len;
    ret_covered->until_us = (int64_t)until_us;
    return is_line;
}

status archive_covered_read(const char *path, struct archive_covered *ret_covered,
                            struct error *reterr)
{
    char file[STORE_PATH_MAX];
    CLEANUP(buf_done) struct buf text = buf_init(CHUNK_BYTES + COVERED_MAX);
    TRY(path_in(path, "covered", file, reterr));
    TRY(read_into(file, &text, reterr));
    if (read_covered(&text, ret_covered)) return STATUS_OK;
    return fail(reterr, STATUS_DATA_LOSS, "%s: damaged: remove it, and the newest segment counts",
                file);
}

/* --- retention ---------------------------------------------------------------------------------
 */

static bool is_needed(const struct archive_entry *entry, const struct archive_base *bases,
                      size_t count)
{
    bool has_newer = false;
    if (entry->is_damaged) return true; /* a person should see it */
    for (size_t i = 0; i < count; i++) {
        const struct archive_base *base = &bases[i];
        bool is_of_line                 = base->sequence > 0 &&
                          memcmp(base->timeline, entry->head.timeline, REDO_TIMELINE_SIZE) == 0;
        if (is_of_line && base->sequence < entry->head.last) return true;
        if (base->created_us > entry->head.last_us) has_newer = true;
    }
    return !has_newer;
}

status archive_purge(const char *path, const struct archive_base *bases, size_t count,
                     uint64_t *ret_removed, struct error *reterr)
{
    CLEANUP(archive_list_done) struct archive_list list = {};
    char file[STORE_PATH_MAX];
    *ret_removed = 0;
    TRY(archive_list_read(path, NULL, &list, reterr));
    for (size_t i = 0; i < list.count; i++) {
        if (is_needed(&list.entries[i], bases, count)) continue;
        TRY(path_in(path, list.entries[i].name, file, reterr));
        if (unlink(file) != 0) return cannot("remove", file, reterr);
        ++*ret_removed;
    }
    return STATUS_OK;
}
