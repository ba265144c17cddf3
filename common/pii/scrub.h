/**
 * scrub: takes what pii.h finds out of texts and values.
 *
 *     mask    [EMAIL_1]: the same value has the same number within one scrub, so a text that names
 *             somebody twice still reads
 *     hash    [EMAIL_9f86d081884c]: the same value is the same everywhere under one key
 *     block   changes nothing: the caller refuses, and names the kinds, never the values
 *
 * One scrub is one call or one document; the numbers begin anew with each.
 *
 * Threads: a scrub belongs to one.
 */
#ifndef PII_SCRUB_H
#define PII_SCRUB_H

#include "base/buf.h"
#include "pii/pii.h"
#include "json/json.h"

enum pii_mode { PII_ALLOW, PII_MASK, PII_HASH, PII_BLOCK, PII_MODE_COUNT };

enum {
    SCRUB_VALUES_MAX = 65'536, /* different ones of one scrub; more have the number 0 */
    SCRUB_KEY_MIN    = 16,     /* bytes */
};

/** "mask"; static. */
const char *pii_mode_name(enum pii_mode mode);
bool pii_mode_of(str name, enum pii_mode *ret_mode);

struct scrub;

struct scrub_options {
    enum pii_mode mode;
    pii_kinds kinds;
    bytes key; /* of PII_HASH, at least SCRUB_KEY_MIN; borrowed for as long as the scrub */
};

/** Owned: scrub_freep(). */
struct scrub *scrub_new(const struct scrub_options *options);
void scrub_freep(struct scrub **scrub);

/** Kinds found so far. */
pii_kinds scrub_found(const struct scrub *scrub);

/** Appends `text` to `out` as it may leave. False: `out` is full. */
bool scrub_text(struct scrub *scrub, str text, struct buf *out);

/** What stands in the place of a text or number; owned. JSON_INVALID: it may leave as it is. A
 * number is looked at as its digits are written, and what stands in its place is a text. */
json scrub_leaf(struct scrub *scrub, json leaf);

/** `value` with all its texts and numbers as they may leave, at any depth; keys stay. Itself if
 * nothing was found. Owned. */
json scrub_json(struct scrub *scrub, json value);

/** Puts `text` into `out` with [EMAIL] and the like in the place of what is found, for messages and
 * logs; no numbers. False, and nothing there: nothing was found. Pure; any thread. */
bool pii_hide(str text, pii_kinds kinds, struct buf *out);

/** The same for a line of a log, whose network addresses are ours. A log_scrub_fn. */
bool pii_hide_in_log(str text, struct buf *out);

/** "email, card": the names of a set, for messages. */
void pii_kinds_print(pii_kinds kinds, struct buf *out);

#endif
