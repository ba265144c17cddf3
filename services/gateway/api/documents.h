/**
 * documents: what a definition names by URL, read before the scheduler is asked again.
 *
 * The scheduler says which documents it needs; a tool-adapter reads them, since it is the one that
 * speaks with the world outside; then the same question goes to the scheduler with all documents so
 * far. Documents may name others, so this takes some rounds: as many as documents are deep.
 *
 * Threads: the answers of RPC, in turn; nobody else touches a call's documents meanwhile.
 */
#ifndef GATEWAY_DOCUMENTS_H
#define GATEWAY_DOCUMENTS_H

#include "document.pb-c.h"
#include "gateway/api/api.h"

enum {
    DOCUMENTS_COUNT_MAX  = 64,      /* of one call; what a definition may name */
    DOCUMENTS_TOTAL_MAX  = 4 << 20, /* bytes of them */
    DOCUMENTS_AT_ONCE    = 8,
    DOCUMENTS_ROUNDS_MAX = 16,
    DOCUMENT_WAIT_MS     = 45'000, /* for one: a token, and then the document */
};

struct documents;

void documents_free(struct documents *documents); /* NULL is fine */

/** The documents of a call so far, for a message; none before the first round. */
Pb__Document **documents_of(const struct api_call *call, size_t *ret_count);

/**
 * Reads what is needed, and goes on with `again(call)`. A document that cannot be read comes with
 * the reason. If nobody could be asked, the call is answered (503).
 */
void documents_fetch(struct api_call *call, Pb__DocumentNeed *const *needs, size_t count,
                     void (*again)(struct api_call *call));

#endif
