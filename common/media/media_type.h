/**
 * media_type: what a file is, by its first bytes (libmagic), and whether it may be kept.
 *
 * By default text of any kind is kept, but for scripts of shells; JSON, PDF, pictures for the web,
 * and documents of office suites (OOXML); a configuration may say otherwise (`files.types`), but
 * programs and scripts are never kept. What is said of a file must fit what is found in it; where
 * the bytes cannot tell (JSON, CSV, Markdown and HTML may look like plain text, an office document
 * like a zip archive), the word is taken.
 *
 * Threads: any; one at a time looks.
 */
#ifndef MEDIA_MEDIA_TYPE_H
#define MEDIA_MEDIA_TYPE_H

#include "base/hash.h"
#include "base/status.h"
#include "base/str.h"

enum {
    MEDIA_TYPE_HEAD = 4'096, /* bytes that are looked at */
    MEDIA_TYPE_SIZE = 128,   /* bytes of a name, its NUL included */
};

struct media_types;

/** `kept` are the `count` types that are kept, borrowed as long as it lives; 0: the usual ones.
 * Owned: media_types_freep(). UNAVAILABLE: the table of libmagic cannot be read; INVALID_ARGUMENT:
 * no media type, or one that never is kept. */
status media_types_new(const char *const *kept, size_t count, struct media_types **ret_types,
                       struct error *reterr);
void media_types_freep(struct media_types **types);

/**
 * The type of a file that begins with `head`. `declared` is what the client says: a media type,
 * also with parameters; empty, `application/octet-stream` or that of a form: nothing.
 * INVALID_ARGUMENT with the code "media_type_not_allowed" or "media_type_mismatch"; UNAVAILABLE.
 */
status media_type_of(struct media_types *types, bytes head, str declared,
                     char ret_type[static MEDIA_TYPE_SIZE], struct error *reterr);

/**
 * The type of bytes that are not kept, whichever it is: what is said of them (as above), unless
 * they are, or are said to be, a picture of the web or a PDF, whose bytes tell, and look like
 * something else: then INVALID_ARGUMENT with the code "media_type_mismatch", and `ret_type` is what
 * they look like. UNAVAILABLE.
 */
status media_type_look(struct media_types *types, bytes head, str declared,
                       char ret_type[static MEDIA_TYPE_SIZE], struct error *reterr);

#endif
