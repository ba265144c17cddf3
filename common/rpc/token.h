/**
 * token: the authentication block of a batch, by which a service proves who it is.
 *
 *   time u64 (Unix ms), sequence u64, key id u32, length u8 and service name, HMAC-SHA256 (32
 * bytes)
 *
 * The HMAC covers the batch header, the block before it, and the SHA-256 of the frames. A nonce is
 * (sender, sequence): each process counts its batches, and the receiver remembers per sender which
 * numbers of the last 65,536 it has seen, as IPsec does (RFC 4303 section 3.4.3). That takes 8 KiB
 * per peer however many calls it makes; a set of random nonces would take 16 bytes per batch of the
 * last two minutes. What falls out of this memory is refused: a number too old by the window, a
 * sender that was quiet for long by the time.
 *
 * Threads: token_write() any; a token_guard takes its own lock.
 */
#ifndef RPC_TOKEN_H
#define RPC_TOKEN_H

#include "rpc/frame.h"
#include "rpc/security.h"

#include <stddef.h>

enum {
    TOKEN_SIZE_MAX    = 8 + 8 + 4 + 1 + RPC_SERVICE_NAME_MAX + 32, /* bytes */
    TOKEN_WINDOW      = 65'536,                                    /* sequence numbers */
    TOKEN_SENDERS_MAX = 4'096, /* processes that called within RPC_CLOCK_SKEW_MS twice */
};

struct identity; /* a copy of struct rpc_identity that owns its texts */

/** Copies and checks. INVALID_ARGUMENT: a service name or secret whose size cannot be. */
status identity_new(const struct rpc_identity *from, struct identity **ret_identity,
                    struct error *reterr);
void identity_free(struct identity *identity); /* wipes the secrets; NULL is fine */
bool identity_has_secret(const struct identity *identity);
const char *identity_service(const struct identity *identity); /* lives as long as it */

/** Returns the size of this identity's block: 0 without a secret. */
size_t token_size(const struct identity *identity);

/** Writes token_size() bytes for a batch with this `header` (encoded) and these `frames`. */
void token_write(const struct identity *identity, const uint8_t header[static BATCH_HEADER_SIZE],
                 bytes frames, uint64_t sequence, int64_t unix_ms, uint8_t *ret_block);

struct token_guard;
struct token_guard *token_guard_new(void); /* owned */
void token_guard_free(struct token_guard *guard);

/** Checks the block of a whole `message` with the secrets of `identity`. `ret_service` is a view
 * into the message. UNAUTHENTICATED: missing, malformed, wrong, seen before, or of another time. */
status token_check(struct token_guard *guard, const struct identity *identity, bytes message,
                   const struct batch_header *header, int64_t unix_ms, str *ret_service,
                   struct error *reterr);

#endif
