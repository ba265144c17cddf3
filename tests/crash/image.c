#include "image.h"

#include "base/mem.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void image_done(struct image *image)
{
    free(image->durable);
}

/* A disk that lies still writes what it has, at some time. */
enum { LIE_MAX = 64 /* operations */ };

static void resize(struct image *image, size_t size)
{
    if (size > image->capacity) {
        image->capacity = 2 * size;
        image->durable  = mem_resize(image->durable, image->capacity, 1);
    }
    if (size > image->size) memset(image->durable + image->size, 0, size - image->size);
    image->size = size;
}

/* All operations before `end` are certain. */
static void settle(struct image *image, size_t end)
{
    for (; image->pending < end; image->pending++) {
        const struct operation *write = &image->recording->operations[image->pending];
        if (write->kind != OPERATION_WRITE) continue;
        size_t write_end = (size_t)write->offset + write->len;
        if (write_end > image->size) resize(image, write_end);
        memcpy(image->durable + write->offset, write->data, write->len);
    }
}

bool image_step(struct image *image)
{
    if (image->next == image->recording->count) return false;
    const struct operation *operation = &image->recording->operations[image->next++];
    switch (operation->kind) {
    case OPERATION_ACK: image->acked = operation->commit; break;
    case OPERATION_TRUNCATE: resize(image, (size_t)operation->offset); break;
    case OPERATION_SYNC:
        if (!image->ignores_syncs) settle(image, image->next);
        break;
    case OPERATION_WRITE: break;
    }
    if (image->next - image->pending > LIE_MAX && image->ignores_syncs) {
        settle(image, image->next - LIE_MAX);
    }
    return true;
}

struct image image_begin(const struct recording *recording, bool ignores_syncs)
{
    struct image image = {.recording = recording, .ignores_syncs = ignores_syncs};
    while (image.pending == 0 && image_step(&image)) { /* the file as it was at first */
        if (recording->operations[image.next - 1].kind == OPERATION_SYNC) {
            settle(&image, image.next);
        }
    }
    return image;
}

/* It has returned, and went through a descriptor with O_DSYNC. */
static bool is_certain(const struct image *image, size_t index)
{
    const struct operation *operation = &image->recording->operations[index];
    return operation->is_durable && index + 1 < image->next && !image->ignores_syncs;
}

size_t image_uncertain(const struct image *image)
{
    size_t count = 0;
    for (size_t i = image->pending; i < image->next; i++) {
        bool is_write = image->recording->operations[i].kind == OPERATION_WRITE;
        if (is_write && !is_certain(image, i)) count++;
    }
    return count;
}

/* --- files -------------------------------------------------------------------------------------
 */

static bool survives(enum survivors survivors, struct prng *prng)
{
    return survivors == SURVIVE_ALL || (survivors != SURVIVE_NONE && prng_next(prng) % 2 == 0);
}

static bool put(int file, const void *data, size_t len, off_t offset)
{
    return pwrite(file, data, len, offset) == (ssize_t)len;
}

/* Sectors are those of the disk, so a write may begin and end inside one. */
static bool put_torn(int file, const struct operation *write, struct prng *prng)
{
    for (size_t at = 0; at < write->len;) {
        size_t len = SECTOR_SIZE - ((size_t)write->offset + at) % SECTOR_SIZE;
        if (len > write->len - at) len = write->len - at;
        bool is_there = survives(SURVIVE_TORN, prng);
        if (is_there && !put(file, write->data + at, len, write->offset + (off_t)at)) return false;
        at += len;
    }
    return true;
}

static bool put_survivor(const struct image *image, size_t index, enum survivors survivors,
                         struct prng *prng, int file)
{
    const struct operation *write = &image->recording->operations[index];
    bool is_whole                 = is_certain(image, index);
    if (!is_whole && survivors == SURVIVE_TORN) return put_torn(file, write, prng);
    if (!is_whole && !survives(survivors, prng)) return true;
    return put(file, write->data, write->len, write->offset);
}

static bool put_pending(const struct image *image, enum survivors survivors, struct prng *prng,
                        int file)
{
    for (size_t i = image->pending; i < image->next; i++) {
        bool is_write = image->recording->operations[i].kind == OPERATION_WRITE;
        if (is_write && !put_survivor(image, i, survivors, prng, file)) return false;
    }
    return true;
}

status image_write(const struct image *image, enum survivors survivors, struct prng *prng,
                   const char *path, struct error *reterr)
{
    int file = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (file < 0) return fail(reterr, STATUS_UNAVAILABLE, "%s cannot be written", path);
    bool is_whole =
        put(file, image->durable, image->size, 0) && put_pending(image, survivors, prng, file);
    (void)close(file);
    if (!is_whole) return fail(reterr, STATUS_UNAVAILABLE, "%s: no space", path);
    return STATUS_OK;
}
