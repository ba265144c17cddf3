/**
 * image: the file of a store as a crash could have left it.
 *
 * What is durable at a moment is there. Of the writes that no sync has followed yet, any subset may
 * be: whole, or any of their sectors of 512 bytes. The file grows and shrinks at once.
 */
#ifndef CRASH_IMAGE_H
#define CRASH_IMAGE_H

#include "base/random.h"
#include "base/status.h"
#include "recording.h"

enum { SECTOR_SIZE = 512 /* bytes: what a disk writes whole or not at all */ };

/** Which of the writes under way arrived. */
enum survivors {
    SURVIVE_NONE,
    SURVIVE_ALL,
    SURVIVE_WHOLE, /* each one or not */
    SURVIVE_TORN,  /* each of its sectors or not */
};

struct image {
    const struct recording *recording;
    size_t next;           /* operation that comes next; the one before it is under way */
    size_t pending;        /* all before it are in `durable` */
    bool ignores_syncs;    /* as if the disk lied, to see that losses are found */
    uint64_t acked;        /* commit */
    uint8_t *durable;      /* owned */
    size_t size, capacity; /* bytes */
};

struct image image_begin(const struct recording *recording, bool ignores_syncs);
void image_done(struct image *image);

/** Takes the next operation; false at the end. */
bool image_step(struct image *image);

/** How many writes may or may not arrive: 0 means that every crash here leaves the same file. */
size_t image_uncertain(const struct image *image);

/** Writes the file `path` as a crash now could leave it. UNAVAILABLE: it cannot be written. */
status image_write(const struct image *image, enum survivors survivors, struct prng *prng,
                   const char *path, struct error *reterr);

#endif
