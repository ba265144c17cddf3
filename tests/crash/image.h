/**
 * image: the folder of a store as a crash could have left it.
 *
 * What is durable at a moment is there. Of the writes to a file that no sync of it has followed
 * yet, any subset may be: whole, or any of their sectors of 512 bytes. So may the names that no
 * sync of the folder has followed. A file grows and shrinks at once.
 */
#ifndef CRASH_IMAGE_H
#define CRASH_IMAGE_H

#include "base/random.h"
#include "base/status.h"
#include "recording.h"

enum {
    SECTOR_SIZE     = 512, /* bytes: what a disk writes whole or not at all */
    IMAGE_NAMES_MAX = 8,
};

/** Which of the writes under way arrived. */
enum survivors {
    SURVIVE_NONE,
    SURVIVE_ALL,
    SURVIVE_WHOLE, /* each one or not */
    SURVIVE_TORN,  /* each of its sectors or not */
};

struct image_file {
    uint8_t *bytes;        /* owned */
    size_t size, capacity; /* bytes */
};

struct image_names {
    struct {
        char name[RECORDED_NAME_MAX]; /* "": none */
        unsigned file;
    } of[IMAGE_NAMES_MAX];
};

struct image {
    const struct recording *recording;
    size_t next;        /* operation that comes next; the one before it is under way */
    size_t pending;     /* all before it are durable */
    bool *settled;      /* owned: of each operation */
    bool ignores_syncs; /* as if the disk lied, to see that losses are found */
    bool has_begun;     /* something was acknowledged: before, there need not be a store */
    uint64_t acked;     /* commit */
    struct image_file files[RECORDED_FILES_MAX]; /* what is durable of them */
    struct image_names names;                    /* durable ones */
    struct image_file draft;                     /* what image_write() writes next */
};

/** Owned: image_done(). Stands where the recording began. */
struct image *image_begin(const struct recording *recording, bool ignores_syncs);
void image_done(struct image *image);
void image_donep(struct image **image);

/** Takes the next operation; false at the end. */
bool image_step(struct image *image);

/** How many writes and names may or may not be there: 0 means that every crash here leaves the same
 * folder. */
size_t image_uncertain(const struct image *image);

/** Makes the files in the folder `path` as a crash now could leave them; others of a recording's
 * names are removed. UNAVAILABLE: they cannot be written. */
status image_write(struct image *image, enum survivors survivors, struct prng *prng,
                   const char *path, struct error *reterr);

#endif
