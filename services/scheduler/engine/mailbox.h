/**
 * mailbox: how other threads hand commands to an engine thread.
 *
 * Many post, one takes. A post appends a whole chain under one lock, so a batch of calls arrives as
 * one batch of commands. The taker gets everything that waits at once. Nothing is ever dropped: a
 * full mailbox refuses, and says so at once.
 *
 * Threads: post, close, depth, room from any thread; take from one.
 * Limits: MAILBOX_COUNT_MAX commands and MAILBOX_SIZE_MAX bytes.
 */
#ifndef SCHEDULER_MAILBOX_H
#define SCHEDULER_MAILBOX_H

#include "base/status.h"

#include <stddef.h>
#include <stdint.h>

enum {
    MAILBOX_COUNT_MAX = 8'192,
    MAILBOX_SIZE_MAX  = 32 << 20, /* bytes */
};

/** The first member of every command. The mailbox links it and never frees it. */
struct mail {
    struct mail *next;
    size_t size_bytes; /* what the command keeps in memory, for the limit */
    size_t parts;      /* pieces of work that are done in it; 0 is one, too */
};

/** Pieces of work in a chain; NULL has none. */
size_t mail_parts(const struct mail *first);

struct mailbox;

/** Limits of 0 mean the defaults above. Owned: mailbox_free(), when nobody uses it any more. */
struct mailbox *mailbox_new(size_t count_max, size_t size_max);
void mailbox_free(struct mailbox *mailbox);

/**
 * Appends a chain of commands in its order. Takes it if OK; on failure nothing of it was appended:
 * RESOURCE_EXHAUSTED (full), UNAVAILABLE (closed).
 */
status mailbox_post(struct mailbox *mailbox, struct mail *first, struct error *reterr);

/**
 * Returns the chain of all that waits, oldest first. If nothing does, waits until `until_us` of
 * clock_mono_us() (0: does not wait; INT64_MAX: for ever), a wake or a close, and may return NULL.
 */
struct mail *mailbox_take(struct mailbox *mailbox, int64_t until_us);

/**
 * Of the taker: waits until `enough` pieces of work are there, or until `until_us` as above, a wake
 * or a close. Returns how many are; they stay there.
 */
size_t mailbox_gather(struct mailbox *mailbox, size_t enough, int64_t until_us);

/** Makes a waiting taker return. */
void mailbox_wake(struct mailbox *mailbox);

/** Refuses what is posted from now on; what waits can still be taken. */
void mailbox_close(struct mailbox *mailbox);

/** Commands that wait, the pieces of work in them, and how many more commands fit. */
size_t mailbox_depth(struct mailbox *mailbox);
size_t mailbox_parts(struct mailbox *mailbox);
size_t mailbox_room(struct mailbox *mailbox);

#endif
