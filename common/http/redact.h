/**
 * redact: takes secrets out of text that goes into logs, errors and dry runs.
 *
 * By value: whatever looks like one of the secrets becomes ***, also percent-encoded, base64 or
 * as a part of a longer text. A credential that is sent as a compound (base64 of user:password) is
 * a secret of its own: pass it too. Pure functions: any thread.
 */
#ifndef HTTP_REDACT_H
#define HTTP_REDACT_H

#include "base/buf.h"
#include "base/str.h"

#include <stdbool.h>

enum {
    REDACT_SECRET_MIN  = 4,         /* bytes; shorter secrets would take ordinary text along */
    REDACT_SECRET_MAX  = 16 * 1024, /* bytes; only the beginning of a longer one is looked for */
    REDACT_SECRETS_MAX = 64,
};

/** Appends `text` with every secret of at least REDACT_SECRET_MIN bytes replaced by "***"; of two
 * that begin at one place the longer wins. False if `out` is full: then nothing of it may be shown.
 */
bool redact_text(struct buf *out, str text, const str *secrets, size_t count);

/** Appends a URL without user info, and with *** for each value of its query:
 * "https://h/p?key=***". What is no URL becomes "***". */
bool redact_url(struct buf *out, str url);

#endif
