#include "image.h"

#include "base/assert.h"
#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    LIE_MAX  = 64, /* operations: a disk that lies still writes what it has, at some time */
    PATH_LEN = 512,
};

void image_done(struct image *image)
{
    if (!image) return;
    for (unsigned i = 0; i < RECORDED_FILES_MAX; i++) free(image->files[i].bytes);
    free(image->draft.bytes);
    free(image->settled);
    free(image);
}

void image_donep(struct image **image)
{
    image_done(*image);
}

static void resize(struct image_file *file, size_t size)
{
    if (size > file->capacity) {
        file->capacity = 2 * size;
        file->bytes    = mem_resize(file->bytes, file->capacity, 1);
    }
    if (size > file->size) memset(file->bytes + file->size, 0, size - file->size);
    file->size = size;
}

static void put(struct image_file *file, const void *data, size_t len, size_t offset)
{
    if (len == 0) return;
    if (offset + len > file->size) resize(file, offset + len);
    memcpy(file->bytes + offset, data, len);
}

/* --- names -------------------------------------------------------------------------------------
 */

static void unname(struct image_names *names, const char *name)
{
    for (size_t i = 0; i < IMAGE_NAMES_MAX; i++) {
        if (strcmp(names->of[i].name, name) == 0) names->of[i].name[0] = '\0';
    }
}

static void name_file(struct image_names *names, const char *name, unsigned file)
{
    unname(names, name);
    for (size_t i = 0; i < IMAGE_NAMES_MAX; i++) {
        if (names->of[i].name[0]) continue;
        (void)snprintf(names->of[i].name, RECORDED_NAME_MAX, "%s", name);
        names->of[i].file = file;
        return;
    }
    ASSERT(false);
}

static bool is_of_names(const struct operation *operation)
{
    return operation->kind == OPERATION_NAME || operation->kind == OPERATION_UNNAME;
}

static void take_name(struct image_names *names, const struct operation *operation)
{
    if (operation->kind == OPERATION_NAME) {
        name_file(names, operation->name, operation->file);
    } else {
        unname(names, operation->name);
    }
}

/* --- steps -------------------------------------------------------------------------------------
 */

static bool may_be_lost(const struct operation *operation)
{
    return operation->kind == OPERATION_WRITE || is_of_names(operation);
}

static void settle(struct image *image, size_t index)
{
    const struct operation *operation = &image->recording->operations[index];
    if (image->settled[index]) return;
    image->settled[index] = true;
    if (is_of_names(operation)) take_name(&image->names, operation);
    if (operation->kind != OPERATION_WRITE) return;
    put(&image->files[operation->file], operation->data, operation->len, (size_t)operation->offset);
}

/* Takes what a sync makes durable: writes to its file, or names. */
static void settle_by(struct image *image, const struct operation *sync, size_t end)
{
    bool is_next = true;
    for (size_t i = image->pending; i < end; i++) {
        const struct operation *operation = &image->recording->operations[i];
        bool is_meant                     = sync->kind == OPERATION_SYNC
                                                ? operation->kind == OPERATION_WRITE && operation->file == sync->file
                                                : is_of_names(operation);
        if (is_meant || !may_be_lost(operation)) settle(image, i);
        if (is_next && image->settled[i]) image->pending = i + 1;
        is_next = is_next && image->settled[i];
    }
}

static void settle_all(struct image *image, size_t end)
{
    for (size_t i = image->pending; i < end; i++) settle(image, i);
    if (end > image->pending) image->pending = end;
}

bool image_step(struct image *image)
{
    if (image->next == image->recording->count) return false;
    const struct operation *operation = &image->recording->operations[image->next++];
    switch (operation->kind) {
    case OPERATION_ACK:
        image->acked     = operation->commit;
        image->has_begun = true;
        break;
    case OPERATION_TRUNCATE:
        resize(&image->files[operation->file], (size_t)operation->offset);
        break;
    case OPERATION_SYNC:
    case OPERATION_SYNC_NAMES:
        if (!image->ignores_syncs) settle_by(image, operation, image->next);
        break;
    case OPERATION_WRITE:
    case OPERATION_NAME:
    case OPERATION_UNNAME: break;
    }
    if (image->next > LIE_MAX && image->ignores_syncs) settle_all(image, image->next - LIE_MAX);
    return true;
}

struct image *image_begin(const struct recording *recording, bool ignores_syncs)
{
    struct image *image = mem_new(1, sizeof *image);
    image->recording    = recording;
    image->settled      = mem_new(recording->count + 1, sizeof *image->settled);
    bool has_names      = false;
    while (!has_names && image_step(image)) { /* the folder as it was at first */
        has_names = recording->operations[image->next - 1].kind == OPERATION_SYNC_NAMES;
    }
    settle_all(image, image->next);
    image->ignores_syncs = ignores_syncs;
    return image;
}

/* It has returned, and went through a descriptor with O_DSYNC. */
static bool is_certain(const struct image *image, size_t index)
{
    const struct operation *operation = &image->recording->operations[index];
    if (image->settled[index]) return true;
    return operation->is_durable && index + 1 < image->next && !image->ignores_syncs;
}

size_t image_uncertain(const struct image *image)
{
    size_t count = 0;
    for (size_t i = image->pending; i < image->next; i++) {
        count += may_be_lost(&image->recording->operations[i]) && !is_certain(image, i);
    }
    return count;
}

/* --- files -------------------------------------------------------------------------------------
 */

static bool survives(enum survivors survivors, struct prng *prng)
{
    return survivors == SURVIVE_ALL || (survivors != SURVIVE_NONE && prng_next(prng) % 2 == 0);
}

/* Sectors are those of the disk, so a write may begin and end inside one. */
static void put_torn(struct image_file *file, const struct operation *write, struct prng *prng)
{
    for (size_t at = 0; at < write->len;) {
        size_t len = SECTOR_SIZE - ((size_t)write->offset + at) % SECTOR_SIZE;
        if (len > write->len - at) len = write->len - at;
        if (survives(SURVIVE_TORN, prng)) {
            put(file, write->data + at, len, (size_t)write->offset + at);
        }
        at += len;
    }
}

static void put_survivor(struct image *image, size_t index, enum survivors survivors,
                         struct prng *prng)
{
    const struct operation *write = &image->recording->operations[index];
    bool is_whole                 = is_certain(image, index);
    if (!is_whole && survivors == SURVIVE_TORN) {
        put_torn(&image->draft, write, prng);
    } else if (is_whole || survives(survivors, prng)) {
        put(&image->draft, write->data, write->len, (size_t)write->offset);
    }
}

/* The draft is the file `number` as a crash could have left it. */
static void draft_file(struct image *image, unsigned number, enum survivors survivors,
                       struct prng *prng)
{
    const struct image_file *durable = &image->files[number];
    image->draft.size                = 0;
    put(&image->draft, durable->bytes, durable->size, 0);
    for (size_t i = image->pending; i < image->next; i++) {
        const struct operation *operation = &image->recording->operations[i];
        bool is_meant = operation->kind == OPERATION_WRITE && operation->file == number;
        if (is_meant && !image->settled[i]) put_survivor(image, i, survivors, prng);
    }
}

/* In one write: there are tens of thousands of them. */
static status write_draft(const struct image_file *draft, const char *path, struct error *reterr)
{
    int file = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (file < 0) return fail(reterr, STATUS_UNAVAILABLE, "%s cannot be written", path);
    bool is_whole =
        draft->size == 0 || write(file, draft->bytes, draft->size) == (ssize_t)draft->size;
    (void)close(file);
    if (!is_whole) return fail(reterr, STATUS_UNAVAILABLE, "%s: no space", path);
    return STATUS_OK;
}

static status remove_files(const char *path, struct error *reterr)
{
    static const char *const names[] = {"data.mdb", "data.mdb.new", "wal.0", "wal.1", "wal.new"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        char file[PATH_LEN];
        (void)snprintf(file, sizeof file, "%s/%s", path, names[i]);
        if (unlink(file) != 0 && errno != ENOENT) {
            return fail(reterr, STATUS_UNAVAILABLE, "%s cannot be removed", file);
        }
    }
    return STATUS_OK;
}

status image_write(struct image *image, enum survivors survivors, struct prng *prng,
                   const char *path, struct error *reterr)
{
    struct image_names names = image->names;
    for (size_t i = image->pending; i < image->next; i++) {
        const struct operation *operation = &image->recording->operations[i];
        if (!is_of_names(operation) || image->settled[i]) continue;
        if (survives(survivors, prng)) take_name(&names, operation);
    }
    TRY(remove_files(path, reterr));
    for (size_t i = 0; i < IMAGE_NAMES_MAX; i++) {
        char file[PATH_LEN];
        if (!names.of[i].name[0]) continue;
        (void)snprintf(file, sizeof file, "%s/%s", path, names.of[i].name);
        draft_file(image, names.of[i].file, survivors, prng);
        TRY(write_draft(&image->draft, file, reterr));
    }
    return STATUS_OK;
}
