#include "llm-proxy/money/usage_chapter.h"

#include "base/assert.h"
#include "base/buf.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/mem.h"
#include "fleet/usage_sum.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    CHECK_SIZE   = 8,              /* bytes of a digest that stand in a frame */
    HEAD_SIZE    = 4 + CHECK_SIZE, /* bytes */
    NAMES_MAX    = 8'192,          /* bytes of all names of a row */
    NAMES_COUNT  = 8,
    SMALL_SIZE   = 64 << 10, /* bytes: such a file is not written anew */
    FILE_MAX     = 64 << 20, /* bytes: none is as large */
    CHAPTERS_MAX = 20'000,   /* names of a chapter, whatever its file holds */
};

/* --- rows --------------------------------------------------------------------------------------
 */

static void names_of(Pb__UsageRecord *row, const char **names[static NAMES_COUNT])
{
    names[0] = &row->namespace_;
    names[1] = &row->key;
    names[2] = &row->workflow;
    names[3] = &row->provider;
    names[4] = &row->model;
    names[5] = &row->label;
    names[6] = &row->run;
    names[7] = &row->call;
}

static void put_names(Pb__UsageRecord *row, struct buf *out)
{
    const char **names[NAMES_COUNT];
    names_of(row, names);
    (void)buf_put_u32(out, row->day);
    for (int i = 0; i < NAMES_COUNT; i++) {
        (void)buf_put_text(out, *names[i]);
        (void)buf_put_byte(out, '\0');
    }
}

/* With the names in one piece of memory behind it. */
struct usage_row {
    Pb__UsageRecord record; /* the first: the chapter's list has its address */
    Pb__UsageCounters counters;
    Pb__UsageCounters unwritten; /* of these, what no frame has */
    bool is_fresh;
    struct usage_row *next_fresh;
    char names[];
};

static struct usage_row *row_new(Pb__UsageRecord *like)
{
    size_t size = 0;
    const char **from[NAMES_COUNT];
    const char **to[NAMES_COUNT];
    names_of(like, from);
    for (int i = 0; i < NAMES_COUNT; i++) size += strlen(*from[i]) + 1;
    struct usage_row *row = mem_new(1, sizeof *row + size);
    row->record           = *like;
    row->record.counters  = &row->counters;
    char *place           = row->names;
    pb__usage_counters__init(&row->counters);
    pb__usage_counters__init(&row->unwritten);
    names_of(&row->record, to);
    for (int i = 0; i < NAMES_COUNT; i++) {
        size_t len = strlen(*from[i]) + 1;
        memcpy(place, *from[i], len);
        *to[i] = place;
        place += len;
    }
    return row;
}

/* NULL: it is in a file that we have not written. */
static struct usage_row *row_of(struct usage_chapter *chapter, Pb__UsageRecord *like)
{
    CLEANUP(buf_done) struct buf name = buf_init(NAMES_MAX);
    put_names(like, &name);
    struct usage_row *row = map_get(chapter->by_name, buf_str(&name));
    if (row) return row;
    row = row_new(like);
    if (name.is_full || !map_put(chapter->by_name, buf_str(&name), row)) {
        free(row);
        return NULL;
    }
    if (chapter->count == chapter->room) {
        chapter->room = chapter->room ? 2 * chapter->room : 16;
        chapter->rows = mem_resize(chapter->rows, chapter->room, sizeof *chapter->rows);
    }
    chapter->rows[chapter->count++] = &row->record;
    return row;
}

static struct usage_row *add_row(struct usage_chapter *chapter, Pb__UsageRecord *more)
{
    struct usage_row *row = row_of(chapter, more);
    if (row) usage_counters_add(&row->counters, more->counters);
    return row;
}

static void freshen(struct usage_chapter *chapter, struct usage_row *row,
                    const Pb__UsageCounters *more)
{
    usage_counters_add(&row->unwritten, more);
    if (row->is_fresh) return;
    row->is_fresh   = true;
    row->next_fresh = chapter->fresh;
    chapter->fresh  = row;
    chapter->fresh_count++;
}

/* --- ends --------------------------------------------------------------------------------------
 */

/* Takes it. */
static void take_end(struct usage_chapter *chapter, Pb__CallEnd *end)
{
    if (chapter->end_count == chapter->end_room) {
        chapter->end_room = chapter->end_room ? 2 * chapter->end_room : 16;
        chapter->ends     = mem_resize(chapter->ends, chapter->end_room, sizeof *chapter->ends);
    }
    chapter->ends[chapter->end_count++] = end;
}

static Pb__CallEnd *end_copy(const Pb__CallEnd *end)
{
    uint8_t *text     = mem_new(pb__call_end__get_packed_size(end) + 1, 1);
    size_t size       = pb__call_end__pack(end, text);
    Pb__CallEnd *copy = pb__call_end__unpack(NULL, size, text);
    free(text);
    ASSERT(copy); /* it was packed just now */
    return copy;
}

void usage_chapter_end(struct usage_chapter *chapter, const Pb__CallEnd *end)
{
    take_end(chapter, end_copy(end));
}

/* --- a chapter ---------------------------------------------------------------------------------
 */

struct usage_chapter *usage_chapter_new(const char *folder, const char *source, uint64_t number)
{
    struct usage_chapter *chapter = mem_new(1, sizeof *chapter);
    chapter->number               = number;
    chapter->fd                   = -1;
    chapter->by_name              = map_new(CHAPTERS_MAX);
    (void)snprintf(chapter->source, sizeof chapter->source, "%s", source);
    if (folder) {
        (void)snprintf(chapter->path, sizeof chapter->path, "%s/%s-%020" PRIu64 ".usage", folder,
                       source, number);
    }
    return chapter;
}

void usage_chapter_free(struct usage_chapter *chapter)
{
    if (!chapter) return;
    if (chapter->fd >= 0) (void)close(chapter->fd);
    for (size_t i = 0; i < chapter->count; i++) free(chapter->rows[i]);
    for (size_t i = 0; i < chapter->end_count; i++) {
        pb__call_end__free_unpacked(chapter->ends[i], NULL);
    }
    free(chapter->rows);
    free(chapter->ends);
    map_free(chapter->by_name);
    free(chapter);
}

void usage_chapter_remove(const struct usage_chapter *chapter)
{
    if (*chapter->path) (void)unlink(chapter->path);
}

/* --- writing -----------------------------------------------------------------------------------
 */

static bool put_frame(const Pb__UsageReport *frame, struct buf *out)
{
    uint8_t digest[SHA256_SIZE];
    size_t size = pb__usage_report__get_packed_size(frame);
    size_t from = out->len;
    char *place = buf_reserve(out, HEAD_SIZE + size);
    if (!place) return false;
    buf_commit(out, HEAD_SIZE + size);
    struct buf head = buf_init(HEAD_SIZE);
    (void)buf_put_u32(&head, (uint32_t)size);
    (void)pb__usage_report__pack(frame, (uint8_t *)out->ptr + from + HEAD_SIZE);
    sha256((bytes){out->ptr + from + HEAD_SIZE, size}, digest);
    (void)buf_put(&head, digest, CHECK_SIZE);
    memcpy(out->ptr + from, head.ptr, HEAD_SIZE);
    buf_done(&head);
    return true;
}

static status cannot(const char *what, const char *path, struct error *reterr)
{
    return fail(reterr, STATUS_UNAVAILABLE, "cannot %s %s: %m", what, path);
}

static status append(struct usage_chapter *chapter, const Pb__UsageReport *added,
                     struct error *reterr)
{
    CLEANUP(buf_done) struct buf frame = buf_init(USAGE_FRAME_MAX);
    if (chapter->fd < 0 && chapter->size == 0) {
        chapter->fd = open(chapter->path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    }
    if (chapter->fd < 0) return cannot("write", chapter->path, reterr);
    if (!put_frame(added, &frame)) {
        return fail(reterr, STATUS_RESOURCE_EXHAUSTED, "the usage of a call is too large");
    }
    if (file_write(chapter->fd, bytes_from(buf_str(&frame)))) {
        chapter->size += frame.len;
        return STATUS_OK;
    }
    status code = cannot("write", chapter->path, reterr);
    (void)!ftruncate(chapter->fd, (off_t)chapter->size); /* no half frame before the next one */
    return code;
}

void usage_chapter_add(struct usage_chapter *chapter, Pb__UsageRecord **rows, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct usage_row *row = add_row(chapter, rows[i]);
        if (row && *chapter->path) freshen(chapter, row, rows[i]->counters);
    }
}

bool usage_chapter_is_unwritten(const struct usage_chapter *chapter)
{
    bool has_file = *chapter->path != '\0';
    return has_file && (chapter->fresh_count > 0 || chapter->written_ends < chapter->end_count);
}

bool usage_chapter_write(struct usage_chapter *chapter, struct error *reterr)
{
    size_t count = chapter->fresh_count;
    if (!usage_chapter_is_unwritten(chapter)) return true;
    Pb__UsageReport added  = PB__USAGE_REPORT__INIT;
    Pb__UsageRecord *rows  = mem_new(count + 1, sizeof *rows);
    Pb__UsageRecord **list = mem_new(count + 1, sizeof(Pb__UsageRecord *));
    size_t at              = count; /* the newest is the first */
    for (struct usage_row *row = chapter->fresh; row; row = row->next_fresh) {
        rows[--at]        = row->record;
        rows[at].counters = &row->unwritten;
        list[at]          = &rows[at];
    }
    added.rows            = list;
    added.n_rows          = count;
    added.ends            = chapter->ends + chapter->written_ends;
    added.n_ends          = chapter->end_count - chapter->written_ends;
    bool is_written       = append(chapter, &added, reterr) == STATUS_OK;
    chapter->fresh_count  = 0;
    chapter->written_ends = chapter->end_count;
    for (struct usage_row *row = TAKE(chapter->fresh); row; row = row->next_fresh) {
        row->is_fresh = false;
        pb__usage_counters__init(&row->unwritten);
    }
    free(list);
    free(rows);
    return is_written;
}

/* The sums in place of what made them. Whatever fails, the file is there as it was. */
static void write_anew(struct usage_chapter *chapter)
{
    char path[PATH_MAX + sizeof ".new"];
    CLEANUP(buf_done) struct buf frame = buf_init(USAGE_FRAME_MAX);
    Pb__UsageReport all                = PB__USAGE_REPORT__INIT;
    all.rows                           = chapter->rows;
    all.n_rows                         = chapter->count;
    all.ends                           = chapter->ends;
    all.n_ends                         = chapter->end_count;
    (void)snprintf(path, sizeof path, "%s.new", chapter->path);
    if (!put_frame(&all, &frame) || frame.len >= chapter->size) return;
    int fd          = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    bool is_written = fd >= 0 && file_write(fd, bytes_from(buf_str(&frame))) && fdatasync(fd) == 0;
    if (fd >= 0) (void)close(fd);
    if (is_written && rename(path, chapter->path) == 0) {
        chapter->size = frame.len;
    } else {
        (void)unlink(path);
    }
}

void usage_chapter_close(struct usage_chapter *chapter)
{
    if (chapter->fd >= 0) (void)close(chapter->fd);
    chapter->fd = -1;
    if (*chapter->path && chapter->size > SMALL_SIZE) write_anew(chapter);
}

/* --- reading -----------------------------------------------------------------------------------
 */

bool usage_chapter_name_read(const char *name, char ret_source[static USAGE_SOURCE_LEN + 1],
                             uint64_t *ret_number)
{
    uint8_t raw[USAGE_SOURCE_LEN / 2];
    char again[USAGE_SOURCE_LEN + 32];
    str source = str_slice(str_from(name), 0, USAGE_SOURCE_LEN);
    if (!hex_decode(source, raw, sizeof raw) || name[USAGE_SOURCE_LEN] != '-') return false;
    (void)snprintf(ret_source, USAGE_SOURCE_LEN + 1, STR_FMT, STR_ARG(source));
    *ret_number = strtoull(name + USAGE_SOURCE_LEN + 1, NULL, 10);
    (void)snprintf(again, sizeof again, "%s-%020" PRIu64 ".usage", ret_source, *ret_number);
    return *ret_number > 0 && strcmp(again, name) == 0;
}

size_t usage_chapter_parse(struct usage_chapter *chapter, bytes file)
{
    size_t at = 0;
    while (file.len - at > HEAD_SIZE) {
        const uint8_t *head = (const uint8_t *)file.ptr + at;
        uint8_t digest[SHA256_SIZE];
        size_t size = u32_from(head);
        if (size > file.len - at - HEAD_SIZE) break;
        sha256((bytes){head + HEAD_SIZE, size}, digest);
        if (memcmp(digest, head + 4, CHECK_SIZE) != 0) break;
        Pb__UsageReport *frame = pb__usage_report__unpack(NULL, size, head + HEAD_SIZE);
        if (!frame) break;
        for (size_t i = 0; i < frame->n_rows; i++) {
            if (frame->rows[i]->counters) (void)add_row(chapter, frame->rows[i]);
        }
        for (size_t i = 0; i < frame->n_ends; i++) {
            take_end(chapter, frame->ends[i]);
            frame->ends[i] = NULL;
        }
        frame->n_ends = 0;
        pb__usage_report__free_unpacked(frame, NULL);
        at += HEAD_SIZE + size;
    }
    return at;
}

status usage_chapter_load(struct usage_chapter *chapter, struct error *reterr)
{
    CLEANUP(buf_done) struct buf file = buf_init(FILE_MAX);
    ssize_t got                       = 1;
    int fd                            = open(chapter->path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return cannot("read", chapter->path, reterr);
    while (got > 0) {
        char *place = buf_reserve(&file, SMALL_SIZE);
        got         = place ? read(fd, place, SMALL_SIZE) : 0;
        if (got > 0) buf_commit(&file, (size_t)got);
    }
    (void)close(fd);
    if (got < 0) return cannot("read", chapter->path, reterr);
    chapter->size         = usage_chapter_parse(chapter, (bytes){buf_str(&file).ptr, file.len});
    chapter->written_ends = chapter->end_count;
    return STATUS_OK;
}
