/**
 * outbox: what an engine tells the engines of other partitions, and itself.
 *
 * A message is a row, written in the transaction that decided it, and goes out after the commit. It
 * arrives exactly once: the receiver commits what follows from it together with the number of the
 * last message it took from this sender (TABLE_INBOX), and takes no number twice; the sender
 * deletes a row when it is told that it was taken. A crash anywhere repeats at most the sending.
 *
 * Order: there is a lane per receiver, and one batch at a time in it, which the receiver takes as a
 * whole or not at all. So messages of one sender to one receiver are taken in the order in which
 * they were put. A receiver that refuses (its mailbox or store is full) is asked again.
 *
 * A row that cannot be read is passed over and stays where it is, so the message is lost and the
 * log has its key; those behind it go on. If it is the number that a lane has come to, and no
 * message is left that tells it, the lane goes on with the time in microseconds, which no counting
 * from 1 comes up to: a number that was taken before would be taken for a repetition.
 *
 * The way to a partition of another process is `post`'s affair (peers.h): a batch whose answer is
 * lost counts as refused, and what was taken of it is known by its numbers.
 *
 * Threads: all functions but the answer to a batch belong to the engine thread; the answer comes on
 * the receiver's thread, touches atomics only, and wakes the engine.
 */
#ifndef SCHEDULER_OUTBOX_H
#define SCHEDULER_OUTBOX_H

#include "message.pb-c.h"
#include "scheduler/engine/commands/command.h"
#include "scheduler/tables/record.h"

enum {
    OUTBOX_BATCH_MAX       = 256,     /* messages */
    OUTBOX_BATCH_BYTES_MAX = 4 << 20, /* of a batch; one message may be larger */
    OUTBOX_RETRY_US        = 100'000, /* after a refusal */
};

/** What arrives: the request of a COMMAND_MESSAGES. */
struct message_batch {
    uint16_t source; /* partition */
    size_t count;
    uint64_t *sequences; /* ascending */
    Pb__Message **messages;
};

struct outbox_options {
    uint16_t partition; /* whose it is */
    uint16_t count;     /* of all partitions */

    /** Posts to the engine of a partition. Fails as engine_post(), and with UNAVAILABLE if it
     * cannot be reached. */
    status (*post)(uint16_t partition, struct command *command, struct error *reterr,
                   void *context);
    void (*wake)(void *context); /* makes the engine turn; any thread */
    /** A row of TABLE_OUTBOX or TABLE_META cannot be read: it is passed over, and stays. */
    void (*unreadable)(enum table table, bytes key, const struct error *why, void *context);
    void *context;
};

struct outbox;

/** Owned: outbox_free(), when no receiver's thread runs any more. */
struct outbox *outbox_new(const struct outbox_options *options);
void outbox_free(struct outbox *outbox);

/** Reads which lanes have rows; before the first turn, and after a turn was undone. */
status outbox_recover(struct outbox *outbox, struct txn *txn, int64_t now_us, struct error *reterr);

/** Adds a message to this turn. RESOURCE_EXHAUSTED: as the store. */
status outbox_put(struct outbox *outbox, struct txn *txn, uint16_t target,
                  const Pb__Message *message, struct error *reterr);

/** Deletes what was taken, as a part of this turn. */
status outbox_sweep(struct outbox *outbox, struct txn *txn, struct error *reterr);

/** Sends what waits; between turns, since it reads. */
void outbox_send(struct outbox *outbox, struct store *store, int64_t now_us);

/** A batch was taken or refused, and no turn has looked at it yet: the engine has been woken. */
bool outbox_has_news(const struct outbox *outbox);

/** When a lane that was refused is to be tried again; INT64_MAX: none. */
int64_t outbox_due_us(const struct outbox *outbox);

/** Says whether a message was taken before, and if not, notes that it is taken now. DATA_LOSS: the
 * row of the sender cannot be read. */
status inbox_take(struct txn *txn, uint16_t source, uint64_t sequence, bool *ret_is_new,
                  struct error *reterr);

/** The row of a sender; and an end to it: whatever comes next is new. */
void inbox_key(struct key *key, uint16_t source);
status inbox_forget(struct txn *txn, uint16_t source, struct error *reterr);

#endif
