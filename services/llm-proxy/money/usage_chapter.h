/**
 * usage_chapter: usage added up by its names, and ends of calls that budgets are charged with, in
 * memory and in a file: a part of usage_journal.h.
 *
 * The file is a list of frames: size u32 (big-endian), 8 bytes of the SHA-256 of the rest, and a
 * packed UsageReport of which only the rows and ends are set.
 */
#ifndef LLM_PROXY_USAGE_CHAPTER_H
#define LLM_PROXY_USAGE_CHAPTER_H

#include "base/map.h"
#include "base/status.h"
#include "usage.pb-c.h"

#include <limits.h>

enum { USAGE_SOURCE_LEN = 32, USAGE_FRAME_MAX = 4 << 20 /* bytes */ };

struct usage_row;

struct usage_chapter {
    char source[USAGE_SOURCE_LEN + 1];
    uint64_t number;
    char path[PATH_MAX]; /* "": in memory only */
    int fd;              /* -1: none, or not any more */
    size_t size;         /* bytes of the file that are whole */
    struct map *by_name;
    Pb__UsageRecord **rows; /* owned: each the beginning of a struct usage_row */
    size_t count, room;
    struct usage_row *fresh; /* of these, what was added since the last frame */
    size_t fresh_count;
    Pb__CallEnd **ends; /* owned, each as well */
    size_t end_count, end_room;
    size_t written_ends; /* of these, in frames */
    struct usage_chapter *next;
};

/** `folder` NULL: in memory. Its file is made with the first frame. Owned. */
struct usage_chapter *usage_chapter_new(const char *folder, const char *source, uint64_t number);
void usage_chapter_free(struct usage_chapter *chapter);

/** Adds rows; the file has them after usage_chapter_write(). */
void usage_chapter_add(struct usage_chapter *chapter, Pb__UsageRecord **rows, size_t count);

/** Adds a copy of an end, likewise. */
void usage_chapter_end(struct usage_chapter *chapter, const Pb__CallEnd *end);

/** Says whether the file lacks something that was added. */
bool usage_chapter_is_unwritten(const struct usage_chapter *chapter);

/** Appends to the file what was added since, as one frame with one row of each name. False: it is
 * in memory only, `reterr` says why, and it is not tried again. */
bool usage_chapter_write(struct usage_chapter *chapter, struct error *reterr);

/** It does not grow any more: its file is closed, and written anew if that makes it much smaller.
 */
void usage_chapter_close(struct usage_chapter *chapter);

/** Removes its file. */
void usage_chapter_remove(const struct usage_chapter *chapter);

/** Reads the name of a file: <source>-<number>.usage. False: it is another's. */
bool usage_chapter_name_read(const char *name, char ret_source[static USAGE_SOURCE_LEN + 1],
                             uint64_t *ret_number);

/** Reads what the file of a new chapter holds, as far as it is whole. */
status usage_chapter_load(struct usage_chapter *chapter, struct error *reterr);

/** Adds the frames of a file; says how many bytes are whole frames. */
size_t usage_chapter_parse(struct usage_chapter *chapter, bytes file);

#endif
