/**
 * file_set: the stored files that a call uses: looked up in its namespace, read whole, and checked
 * against their SHA-256.
 *
 * They never pass through a job's arguments or the journal: they are read when the call begins, and
 * are gone with it. All of a call together have up to FILE_DESK_FILE_MAX bytes; if other calls hold
 * much it waits for them.
 *
 * Threads: belongs to the loop.
 */
#ifndef TOOL_ADAPTER_FILES_FILE_SET_H
#define TOOL_ADAPTER_FILES_FILE_SET_H

#include "tool-adapter/files/file_desk.h"

enum { FILE_SET_MAX = 32 /* files of one call */ };

/** Texts and bytes live as long as the set. */
struct stored_file {
    const char *id, *name, *media_type;
    const char *subject; /* whose it is; "": nobody's */
    char sha256[65];     /* in hexadecimal */
    bytes data;          /* once the set is there */
};

struct file_set;

struct file_set_request {
    str namespace;
    const str *ids; /* up to FILE_SET_MAX; the same one may come twice */
    size_t count;
    int64_t until_ms; /* on clock_mono_ms() */
    /* Once, from the loop, unless the set was freed. INVALID_ARGUMENT: there is no such file (it
     * was deleted, has expired, or never was), or they are too large together; DATA_LOSS: one is
     * damaged; UNAVAILABLE, DEADLINE_EXCEEDED. The set is still the caller's. */
    void (*done)(status code, const struct error *error, void *context);
    void *context;
};

/** Owned: file_set_freep(). INVALID_ARGUMENT: too many; else as file_desk_ask(). */
status file_set_start(struct file_desk *desk, const struct file_set_request *request,
                      struct file_set **ret_set, struct error *reterr);
/** At any time. NULL is fine. */
void file_set_freep(struct file_set **set);

/** NULL: it is none of them. `set` may be NULL. */
const struct stored_file *file_set_find(const struct file_set *set, str id);

/** A set of files that are there, for tests; borrows all. */
struct file_set *file_set_of(const struct stored_file *files, size_t count);

#endif
