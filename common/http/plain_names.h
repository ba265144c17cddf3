/**
 * plain_names: the addresses of names, as the system has them, without waiting for them.
 *
 * getaddrinfo() blocks, so each question has a thread for as long as it takes, as libcurl does it
 * too. Answers are kept for a minute, failures are not. What an address may be used for is not
 * asked here but when it is dialled.
 *
 * Threads: all belongs to the loop's thread.
 */
#ifndef HTTP_PLAIN_NAMES_H
#define HTTP_PLAIN_NAMES_H

#include "base/str.h"
#include "loop/loop.h"

#include <netinet/in.h>
#include <stdbool.h>
#include <sys/socket.h>

enum {
    NAMES_MAX           = 256, /* that are remembered; one more, and the oldest is forgotten */
    NAMES_ASKED_MAX     = 64,  /* at the same time */
    NAMES_ADDRESSES_MAX = 32,  /* of one name; more are left out */
    NAMES_KEPT_MS       = 60'000,
};

union net_address {
    struct sockaddr any;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
};

struct net_addresses {
    unsigned count;
    bool are_all;      /* the name has no others */
    const char *error; /* why there are none; static */
    union net_address list[NAMES_ADDRESSES_MAX];
};

struct names;
struct name;

/** Lies in its asker's memory; set `answered` and `context`. */
struct names_question {
    void (*answered)(const struct net_addresses *addresses, void *context);
    void *context;
    struct name *name; /* NULL: not asked */
    struct names_question *prev, *next;
};

/** Owned: names_free(). `loop` is borrowed and outlives it. */
struct names *names_new(struct loop *loop);

/** Nobody may wait for an answer any more. NULL is fine. */
void names_free(struct names *names);

enum names_answer { NAMES_KNOWN, NAMES_ASKED, NAMES_BUSY };

/** Known: `*ret_addresses`, valid until the next call. Asked: `answered` will be called, from the
 * loop. Busy: too many are being asked. `host` may be an address in any form that the system reads.
 */
enum names_answer names_find(struct names *names, str host, struct names_question *question,
                             const struct net_addresses **ret_addresses);

/** `answered` will not be called. Does nothing if it is not asked. */
void names_forget(struct names_question *question);

#endif
