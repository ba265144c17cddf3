/**
 * file_upload: an answer of a service that is kept as a stored file: its type is found in its bytes
 * and must be one that is kept, and it goes to the store piece by piece.
 *
 * The same bytes of the same call are one file, however often the call is repeated within a day.
 * The bytes belong to the upload, count as room of the desk (file_desk.h), and are gone with it.
 *
 * Threads: belongs to the loop.
 */
#ifndef TOOL_ADAPTER_FILES_FILE_UPLOAD_H
#define TOOL_ADAPTER_FILES_FILE_UPLOAD_H

#include "tool-adapter/files/file_desk.h"

/** How it is kept: as a parameter with `format: keep` says. */
struct file_keep {
    str name;           /* empty: as the service calls it */
    str subject;        /* empty: nobody's */
    int64_t expires_us; /* 0: never */
};

struct file_upload;

/** All borrowed for the start but for `context`. */
struct file_upload_request {
    struct file_keep keep;
    str namespace;
    str key;        /* of the call: the same in all its attempts */
    str created_by; /* the connection */
    str media_type; /* as the service says; empty: it says nothing */
    bytes data;     /* copied */
    int64_t until_ms;
    /* Once, from the loop, unless it was freed; `file` is a view, NULL unless OK. The upload is
     * still the caller's. RESOURCE_EXHAUSTED: the store is full; UNAVAILABLE, DEADLINE_EXCEEDED. */
    void (*done)(status code, const struct error *error, const Pb__StoredFile *file, void *context);
    void *context;
};

/** Owned: file_upload_freep(). INVALID_ARGUMENT: it is empty or too large, or of a type that is not
 * kept, or not what it is said to be; else as file_desk_ask(). */
status file_upload_start(struct file_desk *desk, const struct file_upload_request *request,
                         struct file_upload **ret_upload, struct error *reterr);
/** At any time; what is there of a file then goes by itself. NULL is fine. */
void file_upload_freep(struct file_upload **upload);

#endif
