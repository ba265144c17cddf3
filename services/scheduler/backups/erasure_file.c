#include "scheduler/backups/erasure_file.h"

#include "base/file.h"
#include "base/hash.h"
#include "store/disk.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    CHECK_BYTES  = 4,
    CHECK_DIGITS = 2 * CHECK_BYTES,
    LINES_MAX    = 64 << 10, /* bytes that are written at a time */
};

static const char *const words[] = {[ERASURE_OF_VALUES] = "erased", [ERASURE_OF_RUN] = "deleted"};

static void fd_closep(const int *fd)
{
    if (*fd >= 0) close(*fd);
}

static void file_closep(FILE **file)
{
    if (*file) (void)fclose(*file);
}

static status cannot(const char *action, const char *path, struct error *reterr)
{
    bool is_full = errno == ENOSPC || errno == EDQUOT;
    return fail(reterr, is_full ? STATUS_RESOURCE_EXHAUSTED : STATUS_UNAVAILABLE, "%s %s: %m",
                action, path);
}

/* --- lines -------------------------------------------------------------------------------------
 */

static void check_of(str text, char digits[static CHECK_DIGITS + 1])
{
    uint8_t digest[SHA256_SIZE];
    sha256(bytes_from(text), digest);
    hex_encode(digest, CHECK_BYTES, digits);
}

bool erasure_line_write(const struct erasure *erasure, struct buf *out)
{
    char line[ERASURE_LINE_MAX];
    char digits[CHECK_DIGITS + 1];
    int len = snprintf(line, sizeof line, "%s %" PRId64 " %s ", erasure->run.text, erasure->time_us,
                       words[erasure->kind]);
    check_of((str){line, (size_t)len}, digits);
    return buf_put(out, line, (size_t)len) && buf_put(out, digits, CHECK_DIGITS) &&
           buf_put_byte(out, '\n');
}

static bool time_read(str digits, int64_t *ret_us)
{
    int64_t us = 0;
    for (size_t i = 0; i < digits.len; i++) {
        if (digits.ptr[i] < '0' || digits.ptr[i] > '9') return false;
        if (__builtin_mul_overflow(us, 10, &us)) return false;
        if (__builtin_add_overflow(us, digits.ptr[i] - '0', &us)) return false;
    }
    *ret_us = us;
    return digits.len > 0;
}

static bool kind_read(str word, enum erasure_kind *ret_kind)
{
    for (enum erasure_kind kind = ERASURE_OF_VALUES; kind <= ERASURE_OF_RUN; kind++) {
        *ret_kind = kind;
        if (str_is(word, words[kind])) return true;
    }
    return false;
}

bool erasure_line_read(str line, struct erasure *ret_erasure)
{
    char digits[CHECK_DIGITS + 1];
    if (line.len <= ID_LEN + CHECK_DIGITS + 2 || line.len >= ERASURE_LINE_MAX) return false;
    str text  = {line.ptr, line.len - CHECK_DIGITS};
    str check = {line.ptr + text.len, CHECK_DIGITS};
    check_of(text, digits);
    if (!str_is(check, digits) || text.ptr[text.len - 1] != ' ') return false;
    str run = {text.ptr, ID_LEN};
    if (!id_is_valid(run) || text.ptr[ID_LEN] != ' ') return false;
    const char *time  = text.ptr + ID_LEN + 1;
    size_t rest       = text.len - ID_LEN - 2; /* without the blank at its end */
    const char *blank = memchr(time, ' ', rest);
    if (!blank) return false;
    size_t time_len      = (size_t)(blank - time);
    struct erasure found = {};
    memcpy(found.run.text, run.ptr, ID_LEN);
    bool is_read = time_read((str){time, time_len}, &found.time_us) &&
                   kind_read((str){blank + 1, rest - time_len - 1}, &found.kind);
    if (is_read) *ret_erasure = found;
    return is_read;
}

/* --- files -------------------------------------------------------------------------------------
 */

status erasure_file_path(const char *folder, uint16_t partition, char path[static STORE_PATH_MAX],
                         struct error *reterr)
{
    int len = snprintf(path, STORE_PATH_MAX, "%s/erasures.p%u", folder, partition);
    if (len < STORE_PATH_MAX) return STATUS_OK;
    return fail(reterr, STATUS_INVALID_ARGUMENT, "%s: path too long", folder);
}

status erasure_file_read(const char *path, erasure_visitor *visit, void *context,
                         struct erasure_damage *ret_damage, struct error *reterr)
{
    char line[ERASURE_LINE_MAX + 1];
    *ret_damage                     = (struct erasure_damage){};
    CLEANUP(file_closep) FILE *file = fopen(path, "re");
    if (!file && errno == ENOENT) return fail(reterr, STATUS_NOT_FOUND, "%s: %m", path);
    if (!file) return cannot("open", path, reterr);
    for (uint64_t number = 1; fgets(line, sizeof line, file); number++) {
        struct erasure erasure = {};
        size_t len             = strlen(line); /* less than was read, if a NUL is in it */
        bool is_whole          = len > 0 && line[len - 1] == '\n';
        if (is_whole && erasure_line_read((str){line, len - 1}, &erasure)) {
            ret_damage->is_end = false;
            TRY(visit(&erasure, context, reterr));
        } else if (ret_damage->line == 0) {
            *ret_damage = (struct erasure_damage){.line = number, .is_end = true};
        }
    }
    return ferror(file) ? cannot("read", path, reterr) : STATUS_OK;
}

static status write_synced(const char *path, int flags, str lines, struct error *reterr)
{
    CLEANUP(fd_closep) int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC | O_APPEND | flags, 0600);
    if (fd < 0) return cannot("make", path, reterr);
    if (!file_write(fd, bytes_from(lines))) return cannot("write", path, reterr);
    return fsync(fd) == 0 ? STATUS_OK : cannot("sync", path, reterr);
}

status erasure_file_append(const char *folder, const char *path, str lines, struct error *reterr)
{
    bool is_there = access(path, F_OK) == 0;
    TRY(write_synced(path, 0, lines, reterr));
    return is_there ? STATUS_OK : disk_sync_folder(folder, reterr);
}

struct rewriting {
    char path[STORE_PATH_MAX]; /* of what takes the place of the file */
    int64_t before_us;
    struct buf lines;
};

static void rewriting_done(struct rewriting *rewriting)
{
    buf_done(&rewriting->lines);
}

static status copy_line(const struct erasure *erasure, void *context, struct error *reterr)
{
    struct rewriting *rewriting = context;
    if (erasure->time_us < rewriting->before_us) return STATUS_OK;
    if (rewriting->lines.len + ERASURE_LINE_MAX > LINES_MAX) {
        TRY(write_synced(rewriting->path, 0, buf_str(&rewriting->lines), reterr));
        buf_clear(&rewriting->lines);
    }
    (void)erasure_line_write(erasure, &rewriting->lines);
    return STATUS_OK;
}

status erasure_file_rewrite(const char *folder, const char *path, int64_t before_us,
                            struct error *reterr)
{
    CLEANUP(rewriting_done)
    struct rewriting rewriting   = {.before_us = before_us, .lines = buf_init(LINES_MAX)};
    struct erasure_damage damage = {};
    int len = snprintf(rewriting.path, sizeof rewriting.path, "%s.partial", path);
    if ((size_t)len >= sizeof rewriting.path) {
        return fail(reterr, STATUS_INVALID_ARGUMENT, "%s: path too long", path);
    }
    TRY(write_synced(rewriting.path, O_TRUNC, (str){}, reterr));
    TRY(erasure_file_read(path, copy_line, &rewriting, &damage, reterr));
    TRY(write_synced(rewriting.path, 0, buf_str(&rewriting.lines), reterr));
    if (rename(rewriting.path, path) != 0) return cannot("rename to", path, reterr);
    return disk_sync_folder(folder, reterr);
}
