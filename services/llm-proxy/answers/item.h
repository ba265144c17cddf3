/**
 * item: a piece of an answer on its way to a gateway: head, data or end.
 *
 * Where thousands of streams answer, items of data come and go all the time, so some are kept with
 * their memory for the next ones.
 *
 * Threads: one.
 */
#ifndef LLM_PROXY_ITEM_H
#define LLM_PROXY_ITEM_H

#include "base/buf.h"
#include "llm.pb-c.h"

struct outbox;

struct item {
    struct outbox *outbox;
    uint64_t seq;
    Pb__LlmItem *message; /* owned; of head and end */
    struct buf data;      /* else */
    size_t size;          /* bytes, roughly */
    uint64_t reply;       /* that carried it; 0: none yet */
    bool was_sent;        /* once, perhaps in vain */
    struct item *next;    /* in the outbox, or among those sent */
};

/** Items that nobody uses. Zeroed: none. */
struct item_spare {
    struct item *first;
    size_t count;
};

/** A new one, of data of at most `size_max` bytes. Owned. */
struct item *item_take(struct item_spare *spare, size_t size_max);

/** One of data as a message, which borrows the data. */
void item_print(const struct item *item, uint64_t call, Pb__LlmItem *ret_message);

/** Nobody needs it any more. Takes it. */
void item_put_back(struct item_spare *spare, struct item *item);

/** All of a list. */
void items_free(struct item *first);

#endif
