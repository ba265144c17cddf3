/**
 * recording: the answer of one call while it comes, and who reads it.
 *
 * Plain: one reader, nothing is kept. With a claimed key: what comes is recorded beside, and kept
 * when it is over and was bought; the last bytes go out after that commit. Durable: the same for
 * any number of readers, also none: frames get ids (frames.h), and are written down every
 * RECORDING_WRITE_MS without anybody waiting for it; only that there is such a stream is written
 * before its first word goes out, while the model thinks about it. A reader can leave and another
 * one go on behind any frame, until an hour after the end.
 *
 * A durable stream that nobody reads for `grace_ms` is given up. One above RECORDING_MAX bytes, or
 * one of which the store has not taken a piece, goes on to the readers it has, but is not kept any
 * more: it cannot be resumed, and ends with its last reader. So nobody ever gets a stream with a
 * hole. The answer of any other recording above that size is not kept either.
 *
 * Back-pressure: a durable recording takes everything, until it is above RECORDING_MAX; others are
 * full when their reader's outbox is.
 *
 * Threads: the loop's.
 */
#ifndef LLM_PROXY_ANSWERS_RECORDING_H
#define LLM_PROXY_ANSWERS_RECORDING_H

#include "llm-proxy/answers/answers.h"
#include "llm-proxy/answers/subscriber.h"

enum {
    RECORDING_MAX       = 8 << 20,   /* bytes */
    RECORDINGS_SIZE_MAX = 512 << 20, /* bytes of all that are on their way; above it no durable one
                                        begins */
    RECORDING_WRITE_MS = 50,
    RECORDING_GRACE_MS = 60'000,
};

struct recordings;
struct recording;
struct follower;

/** All are borrowed. Owned: recordings_freep(), when all owners have let go. */
struct recordings *recordings_new(struct loop *loop, struct answers *answers, int64_t grace_ms);
void recordings_freep(struct recordings **recordings);

/** All durable streams on their way are given up now. */
void recordings_abandon(struct recordings *recordings);

/** Who fills it: `relieved` is called when it is not full any more; `abandoned` (may be NULL) when
 * nobody reads any more, neither a durable one nor one of which nothing is kept: it ends now, by
 * the owner. */
struct recording_owner {
    void (*relieved)(void *context);
    void (*abandoned)(void *context);
    void *context;
};

/** `claim` (may claim nothing) is taken. NULL: there is no room. Lives until recording_end() or
 * recording_drop(). */
struct recording *recording_new(struct recordings *recordings, const Pb__LlmOpen *open,
                                bool is_durable, struct answers_claim *claim,
                                const struct recording_owner *owner);

/** A reader, under that number of the subscriber's, from the beginning. False: no room. */
bool recording_follow(struct recording *recording, struct subscriber *subscriber, uint64_t number);

/** The name of a durable one; "" else. */
const char *recording_stream(const struct recording *recording);

/** Status and headers; before all else, once. Copied, as everything. */
void recording_head(struct recording *recording, uint32_t http_status, Pb__LlmHeader **headers,
                    size_t header_count);

/** Adds what recording_data() looks at. */
void recording_ahead(const struct recording *recording, struct loop_ahead *ahead);

/** Whole frames, if it is durable. */
void recording_data(struct recording *recording, str data);

bool recording_is_full(const struct recording *recording);

/** Nothing of it has gone out for good: what is recorded from here on waits for the end. */
bool recording_is_kept(const struct recording *recording);

enum recording_end {
    RECORDING_BOUGHT, /* a whole answer */
    RECORDING_CUT,    /* of a stream, a part */
    RECORDING_FAILED, /* nothing was bought */
};

/** The last words; the owner has let go. */
void recording_end(struct recording *recording, str last, const Pb__Usage *usage,
                   enum recording_end how);

/** Nobody wants it. */
void recording_drop(struct recording *recording);

/** Somebody else has bought the answer: its readers get that, as recordings_replay() gives it.
 * Before anything was recorded. */
void recording_replay(struct recording *recording, const Pb__KeptAnswer *kept);

/* --- those who come later ----------------------------------------------------------------------
 */

/** An answer that is kept, to a subscriber, who is told that it is and costs nothing. False: no
 * room. */
bool recordings_replay(struct subscriber *subscriber, uint64_t number, const Pb__KeptAnswer *kept);

enum attach_verdict { ATTACH_OK, ATTACH_GONE, ATTACH_ELSEWHERE, ATTACH_FULL };

/** A durable stream, to a subscriber. */
enum attach_verdict recordings_attach(struct recordings *recordings, struct subscriber *subscriber,
                                      uint64_t number, const Pb__LlmAttach *attach);

/** The reader of that number, or NULL; it leaves. */
struct follower *follower_of(struct subscriber *subscriber, uint64_t number);
void follower_drop(struct follower *follower);

#endif
