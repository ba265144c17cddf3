/**
 * answers: what this llm-proxy has bought, in a store of its own, so that it is not bought twice.
 *
 * An answer that has an idempotency key is kept for a day under it, a durable stream for an hour
 * after its end under its number. While a key's answer is on its way the key is claimed, in memory
 * only: a call in flight when the process dies is forgotten, and may be made again.
 *
 * A durable stream on its way is announced, and written down as it comes, in pieces. Those that a
 * start finds without an end get one: `interrupted`, under the highest sequence there is, since
 * their clients may have seen more than was written. One of which a piece is missing is forgotten.
 *
 * One thread writes; it commits what waits in one transaction, and says so on the loop afterwards.
 * Without a folder everything is as here, but in memory, and gone with the process.
 *
 * Limits: ANSWERS_TOTAL_MAX bytes in all; what would expire first goes first. An answer above
 * ANSWERS_BODY_MAX is not kept. A full disk is logged, and answers go out without being kept; a
 * store that has failed for good ends the process.
 *
 * Threads: all on the loop's thread, but open, stop and free.
 */
#ifndef LLM_PROXY_ANSWERS_ANSWERS_H
#define LLM_PROXY_ANSWERS_ANSWERS_H

#include "answer.pb-c.h"
#include "base/buf.h"
#include "base/hash.h"
#include "base/status.h"
#include "loop/loop.h"

enum {
    ANSWERS_BODY_MAX     = 32 << 20, /* bytes */
    ANSWERS_TOTAL_MAX    = 1 << 30,  /* bytes; in memory: */
    ANSWERS_MEMORY_MAX   = 64 << 20, /* bytes */
    ANSWERS_KEY_S        = 86'400,   /* how long a key stands for its answer */
    ANSWERS_STREAM_S     = 3'600,    /* how long a stream can be followed after its end */
    ANSWERS_CLAIMS_MAX   = 20'000,
    ANSWERS_DEAD_MAX     = 17, /* processes before this one; of others nobody has jobs any more */
    ANSWERS_REPLICA_SIZE = 12 + 1, /* bytes of its name: 48 random bits, in hexadecimal */
    ANSWERS_STREAM_SIZE  = ANSWERS_REPLICA_SIZE + 16 + 1, /* of a stream's: <replica>-<number> */
    ANSWERS_FRAME_MAX    = 4'096, /* bytes of the frame that ends an interrupted stream */
};

struct answers;

struct answers_options {
    const char *path;  /* of a folder, made if it is missing; NULL: in memory */
    uint64_t size_max; /* bytes of the whole store; 0: as much as its limits need */
    struct loop *loop;
    int64_t (*unix_us)(void); /* NULL: clock_unix_us() */

    /** Writes the frame that says to clients of `operation` that their stream was interrupted. */
    void (*print_interrupted)(Pb__LlmOperation operation, struct buf *out);
};

/** Opens, ends what was interrupted, and starts the thread that writes. Owned: answers_freep().
 * Fails as store_open() does, with RESOURCE_EXHAUSTED (no thread), or with DATA_LOSS. */
status answers_open(const struct answers_options *options, struct answers **ret_answers,
                    struct error *reterr);

/** Commits what waits. Nobody is called any more. After the loop was joined. */
void answers_stop(struct answers *answers);
void answers_freep(struct answers **answers);

/** The name of this replica; the same as long as its folder is. */
const char *answers_replica(const struct answers *answers);

/** A number of this process, and of the ANSWERS_DEAD_MAX that had the folder before, the newest
 * first: they are dead. Ended by 0; as long as `answers`. Of a folder that is a copy none: whose
 * numbers are there may be alive beside the original. */
uint64_t answers_instance(const struct answers *answers);
const uint64_t *answers_dead(const struct answers *answers);

/** What was handed over and is not committed yet. */
size_t answers_waiting(const struct answers *answers);

/* --- idempotency keys --------------------------------------------------------------------------
 */

/** The key of a client's call, bound to its namespace and API key; that of a job, bound to its
 * namespace. */
void answers_name_call(const Pb__LlmOpen *open, uint8_t ret_name[static SHA256_SIZE]);
void answers_name_job(const Pb__LeasedJob *job, uint8_t ret_name[static SHA256_SIZE]);

/** What was asked under it. */
void answers_digest_call(const Pb__LlmOpen *open, uint8_t ret_request[static SHA256_SIZE]);
void answers_digest_job(const Pb__LeasedJob *job, uint8_t ret_request[static SHA256_SIZE]);

/** A key whose answer is on its way. Zeroed: none. */
struct answers_claim {
    struct answers *answers; /* NULL: nothing is claimed */
    uint8_t name[SHA256_SIZE], request[SHA256_SIZE];
    void *owner; /* the claimer's, for those that come later */
    bool is_asking, has_given_way;
};

enum answers_verdict {
    ANSWERS_CLAIMED, /* nobody has it: it is to be bought */
    ANSWERS_KEPT,    /* `*ret_kept` is the answer, owned: pb__kept_answer__free_unpacked() */
    ANSWERS_RUNNING, /* `*ret_owner` has claimed it */
    ANSWERS_OTHER,   /* the key stands for another request */
    ANSWERS_UNKNOWN, /* the store cannot be read, or there are too many claims */
};

/** `claim` has name, request and owner, and stays where it is until it is given up. */
enum answers_verdict answers_claim(struct answers *answers, struct answers_claim *claim,
                                   Pb__KeptAnswer **ret_kept, void **ret_owner);

/** Gives it up: the next one is free to buy. Nothing if nothing is claimed. */
void answers_unclaim(struct answers_claim *claim);

/** The claim lies elsewhere from now on; `from` is empty. */
void answers_move_claim(struct answers_claim *from, struct answers_claim *to);

/** Other replicas are asked for a claimed key from here on: an equal claim of one whose name comes
 * before ours makes this one give way. */
void answers_begin_asking(struct answers *answers, const uint8_t name[static SHA256_SIZE]);

/** They have answered. False: it has given way, and the other one buys. */
bool answers_end_asking(struct answers *answers, const uint8_t name[static SHA256_SIZE]);

/** What `replica`, which has claimed the key as well, is told of it; ANSWERS_CLAIMED: nobody here
 * has it. `*ret_kept` as of answers_claim(). */
enum answers_verdict answers_tell(struct answers *answers, const char *replica,
                                  const uint8_t name[static SHA256_SIZE],
                                  const uint8_t request[static SHA256_SIZE],
                                  Pb__KeptAnswer **ret_kept);

/* --- writing -----------------------------------------------------------------------------------
 */

/** The number of the next answer. */
uint64_t answers_next_number(struct answers *answers);

/** `is_kept`: it is durable. */
typedef void answers_done(bool is_kept, void *context);

/** Keeps an answer; its ended_us and expires_us are set here. With it, what was written of the
 * stream of its number goes away. `done` comes later, on the loop, and never after
 * answers_stop(); NULL: nobody waits. */
void answers_keep(struct answers *answers, Pb__KeptAnswer *answer, answers_done *done,
                  void *context);

/** The next piece of a stream, which is its `piece`th. The first one announces it: no client may
 * hear of a stream before. `done` may be NULL. */
void answers_append(struct answers *answers, uint64_t stream, uint64_t piece,
                    const Pb__StreamPiece *written, answers_done *done, void *context);

/** What was written of a stream is of no use any more. */
void answers_forget(struct answers *answers, uint64_t stream);

/* --- streams -----------------------------------------------------------------------------------
 */

void answers_stream_name(const struct answers *answers, uint64_t number,
                         char text[static ANSWERS_STREAM_SIZE]);

/** Reads <replica>-<number>. OUT_OF_RANGE: it is another replica's; INVALID_ARGUMENT: it is none.
 */
status answers_read_stream(const struct answers *answers, str text, uint64_t *ret_number);

/** A stream that is over. NULL: there is none, or its time is. Owned, as of answers_claim(). */
Pb__KeptAnswer *answers_find_stream(struct answers *answers, uint64_t number);

#endif
