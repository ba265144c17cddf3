/**
 * loss: what a translation between two protocols could not carry.
 *
 * A translation drops nothing in silence: it adds a loss with the place in the client's request
 * (JSON pointer), what was done, and why. The client reads the places in `Tutti-Loss`; with
 * `Tutti-Strict: true` a request that would lose something is refused instead.
 *
 * At most LOSSES_MAX are kept; `count` goes on counting.
 */
#ifndef LLM_PROXY_LOSS_H
#define LLM_PROXY_LOSS_H

#include "base/arena.h"
#include "base/buf.h"
#include "json/json_write.h"

#include <stdint.h>

enum { LOSSES_MAX = 64, LOSSES_TEXT_MAX = 4'096 /* bytes, of all in sentences */ };

enum loss_action {
    LOSS_DROPPED,
    LOSS_APPROXIMATED, /* something near to it was sent */
    LOSS_DEFAULTED,    /* the upstream needs it, the client did not say: a default was sent */
    LOSS_RENAMED,
};

struct loss {
    const char *path;
    const char *note;
    enum loss_action action;
};

struct losses {
    struct arena *arena; /* borrowed: paths and notes live there */
    struct loss *items;
    uint32_t count; /* LOSSES_MAX of them are in `items` */
};

/** Copies both texts. A `list` of NULL takes nothing. */
void losses_add(struct losses *list, enum loss_action action, const char *path, const char *note);

/** The same for a place that has to be made up. */
PRINTF_LIKE(4, 5)
void losses_add_at(struct losses *list, enum loss_action action, const char *note,
                   const char *path_format, ...);

/** "dropped", ...; static. */
const char *loss_action_name(enum loss_action action);

/** Appends the paths with commas between them, as many as fit into `size_max` bytes, then how many
 * more there are: "/seed, /top_k, +3". */
void losses_print_paths(const struct losses *list, size_t size_max, struct buf *out);

/** Writes them as an array of {path, action, note}. */
void losses_write(const struct losses *list, struct json_writer *w);

/** Appends a sentence per loss: for the text of a refusal. */
void losses_print_text(const struct losses *list, struct buf *out);

#endif
