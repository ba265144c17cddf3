/*
 * The token of a batch. Bytes as a whole message are never believed, since nobody guesses a
 * signature. Bytes as frames are signed: then they are believed once, and not at all after any bit
 * of the message was turned. The first bytes say which bit, which time and which number.
 */
#include "rpc/token.h"

#include "base/assert.h"
#include "base/mem.h"

#include <stdlib.h>
#include <string.h>

enum { NOW_MS = 1'800'000'000, HEAD = 4, SIZE_MAX_BYTES = 64 << 10 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const uint8_t secret[32] = "a secret that nobody has guessed";

static struct identity *identity_of_gateway(void)
{
    const struct rpc_identity from = {
        .service = str_from("gateway"), .secrets = {{1, {secret, 32}}}, .secret_count = 1};
    struct identity *identity = NULL;
    ASSERT(identity_new(&from, &identity, NULL) == STATUS_OK);
    return identity;
}

static bool is_believed(struct token_guard *guard, const struct identity *identity, bytes message,
                        str *ret_service)
{
    struct batch_header header = {};
    struct error error         = {};
    if (batch_header_decode(message, &header, &error) != STATUS_OK) return false;
    status code = token_check(guard, identity, message, &header, NOW_MS, ret_service, &error);
    ASSERT(code == STATUS_OK || (code == STATUS_UNAUTHENTICATED && error.text[0]));
    return code == STATUS_OK;
}

/* By a guard that has seen nothing yet. */
static bool is_believed_at_first(const struct identity *identity, bytes message)
{
    struct token_guard *guard = token_guard_new();
    str service               = {};
    bool is                   = is_believed(guard, identity, message, &service);
    token_guard_free(guard);
    return is;
}

static void check_signed(const struct identity *identity, const uint8_t *choice, bytes frames)
{
    size_t block                     = token_size(identity);
    size_t size                      = BATCH_HEADER_SIZE + block + frames.len;
    uint8_t *message                 = mem_new(1, size);
    const bytes whole                = {message, size};
    const struct batch_header header = {
        .class = RPC_FAST, .count = 1, .sender = choice[2], .auth_size = (uint16_t)block};
    batch_header_encode(&header, message);
    if (frames.len > 0) memcpy(message + BATCH_HEADER_SIZE + block, frames.ptr, frames.len);
    bool is_of_now  = choice[3] % 4 != 0;
    int64_t unix_ms = is_of_now ? NOW_MS : NOW_MS + 2 * (int64_t)RPC_CLOCK_SKEW_MS;
    token_write(identity, message, frames, choice[2], unix_ms, message + BATCH_HEADER_SIZE);

    struct batch_header decoded = {};
    bool is_message = batch_header_decode(whole, &decoded, NULL) == STATUS_OK; /* has frames */
    ASSERT(is_believed_at_first(identity, whole) == (is_message && is_of_now));
    struct token_guard *guard = token_guard_new();
    str service               = {};
    if (is_believed(guard, identity, whole, &service)) ASSERT(str_is(service, "gateway"));
    ASSERT(!is_believed(guard, identity, whole, &service)); /* not twice */
    token_guard_free(guard);
    size_t bit = (choice[0] | (size_t)choice[1] << 8) % (size * 8);
    message[bit / 8] ^= (uint8_t)(1U << (bit % 8));
    ASSERT(!is_believed_at_first(identity, whole));
    free(message);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < HEAD || size > SIZE_MAX_BYTES) return 0;
    struct identity *identity = identity_of_gateway();
    ASSERT(!is_believed_at_first(identity, (bytes){data, size}));
    check_signed(identity, data, (bytes){data + HEAD, size - HEAD});
    identity_free(identity);
    return 0;
}
