#include "rpc/token.h"

#include "base/assert.h"
#include "base/buf.h"
#include "base/hash.h"
#include "base/mem.h"

#include <pthread.h>
#include <stdlib.h>

enum {
    TIME_AT        = 0,
    SEQUENCE_AT    = 8,
    KEY_AT         = 16,
    NAME_LENGTH_AT = 20,
    NAME_AT        = 21,
    WORD_BITS      = 64,
};

struct identity {
    char service[RPC_SERVICE_NAME_MAX + 1];
    size_t service_len;
    struct {
        uint32_t id;
        size_t size;
        uint8_t key[RPC_SECRET_SIZE_MAX];
    } secrets[RPC_SECRETS_MAX];
    size_t secret_count;
};

/* What was seen of one process. */
struct sender {
    uint64_t id;
    uint64_t highest;                        /* sequence number */
    int64_t last_ms;                         /* Unix; when it was heard last */
    uint64_t seen[TOKEN_WINDOW / WORD_BITS]; /* bit: sequence mod TOKEN_WINDOW */
};

struct token_guard {
    pthread_mutex_t mutex;
    struct sender *senders[TOKEN_SENDERS_MAX]; /* owned; in the order in which they came */
    size_t count;
};

status identity_new(const struct rpc_identity *from, struct identity **ret_identity,
                    struct error *reterr)
{
    if (from->service.len > RPC_SERVICE_NAME_MAX) {
        return fail(reterr, STATUS_INVALID_ARGUMENT, "service name: over %d bytes",
                    RPC_SERVICE_NAME_MAX);
    }
    if (from->secret_count > RPC_SECRETS_MAX) {
        return fail(reterr, STATUS_INVALID_ARGUMENT, "rpc secrets: over %d", RPC_SECRETS_MAX);
    }
    if (from->secret_count > 0 && from->service.len == 0) {
        return fail(reterr, STATUS_INVALID_ARGUMENT, "service name: missing beside a secret");
    }
    for (size_t i = 0; i < from->secret_count; i++) {
        size_t size = from->secrets[i].key.len;
        if (size < RPC_SECRET_SIZE_MIN || size > RPC_SECRET_SIZE_MAX) {
            return fail(reterr, STATUS_INVALID_ARGUMENT, "rpc secret %u: not %d to %d bytes",
                        (unsigned)from->secrets[i].id, RPC_SECRET_SIZE_MIN, RPC_SECRET_SIZE_MAX);
        }
    }
    struct identity *identity = mem_new(1, sizeof *identity);
    identity->service_len     = from->service.len;
    if (from->service.len > 0) memcpy(identity->service, from->service.ptr, from->service.len);
    identity->secret_count = from->secret_count;
    for (size_t i = 0; i < from->secret_count; i++) {
        identity->secrets[i].id   = from->secrets[i].id;
        identity->secrets[i].size = from->secrets[i].key.len;
        memcpy(identity->secrets[i].key, from->secrets[i].key.ptr, from->secrets[i].key.len);
    }
    *ret_identity = identity;
    return STATUS_OK;
}

void identity_free(struct identity *identity)
{
    if (!identity) return;
    explicit_bzero(identity, sizeof *identity);
    free(identity);
}

bool identity_has_secret(const struct identity *identity)
{
    return identity->secret_count > 0;
}

const char *identity_service(const struct identity *identity)
{
    return identity->service;
}

size_t token_size(const struct identity *identity)
{
    if (identity->secret_count == 0) return 0;
    return NAME_AT + identity->service_len + SHA256_SIZE;
}

static void put(uint8_t *at, uint64_t value, unsigned size)
{
    for (unsigned i = 0; i < size; i++) at[i] = (uint8_t)(value >> (8 * (size - 1 - i)));
}

/* The HMAC over header, block and the digest of the frames. */
static void sign(const struct identity *identity, size_t secret, const void *header, bytes block,
                 bytes frames, uint8_t ret_mac[static SHA256_SIZE])
{
    uint8_t text[BATCH_HEADER_SIZE + TOKEN_SIZE_MAX + SHA256_SIZE];
    ASSERT(block.len <= TOKEN_SIZE_MAX);
    memcpy(text, header, BATCH_HEADER_SIZE);
    memcpy(text + BATCH_HEADER_SIZE, block.ptr, block.len);
    sha256(frames, text + BATCH_HEADER_SIZE + block.len);
    bytes key = {identity->secrets[secret].key, identity->secrets[secret].size};
    hmac_sha256(key, (bytes){text, BATCH_HEADER_SIZE + block.len + SHA256_SIZE}, ret_mac);
}

void token_write(const struct identity *identity, const uint8_t header[static BATCH_HEADER_SIZE],
                 bytes frames, uint64_t sequence, int64_t unix_ms, uint8_t *ret_block)
{
    if (identity->secret_count == 0) return;
    size_t signed_size = NAME_AT + identity->service_len;
    put(ret_block + TIME_AT, (uint64_t)unix_ms, 8);
    put(ret_block + SEQUENCE_AT, sequence, 8);
    put(ret_block + KEY_AT, identity->secrets[0].id, 4);
    put(ret_block + NAME_LENGTH_AT, identity->service_len, 1);
    memcpy(ret_block + NAME_AT, identity->service, identity->service_len);
    sign(identity, 0, header, (bytes){ret_block, signed_size}, frames, ret_block + signed_size);
}

struct token_guard *token_guard_new(void)
{
    struct token_guard *guard = mem_new(1, sizeof *guard);
    (void)pthread_mutex_init(&guard->mutex, NULL);
    return guard;
}

void token_guard_free(struct token_guard *guard)
{
    if (!guard) return;
    for (size_t i = 0; i < guard->count; i++) free(guard->senders[i]);
    (void)pthread_mutex_destroy(&guard->mutex);
    free(guard);
}

/* Finds the sender, or makes room for it: unused, or quiet for so long that its tokens are refused
 * by their time anyway. NULL if there is none. */
static struct sender *sender_of(struct token_guard *guard, uint64_t id, int64_t unix_ms)
{
    struct sender *quiet = NULL;
    for (size_t i = 0; i < guard->count; i++) {
        struct sender *sender = guard->senders[i];
        if (sender->id == id) return sender;
        if (unix_ms - sender->last_ms > 2 * RPC_CLOCK_SKEW_MS) quiet = sender;
    }
    if (!quiet && guard->count < TOKEN_SENDERS_MAX) {
        quiet                          = mem_new(1, sizeof *quiet);
        guard->senders[guard->count++] = quiet;
    }
    if (!quiet) return NULL;
    *quiet = (struct sender){.id = id};
    return quiet;
}

static bool seen_before(struct sender *sender, uint64_t sequence)
{
    if (sequence + TOKEN_WINDOW <= sender->highest) return true; /* too old to be known */
    uint64_t bit   = sequence % TOKEN_WINDOW;
    uint64_t *word = &sender->seen[bit / WORD_BITS];
    uint64_t mask  = UINT64_C(1) << (bit % WORD_BITS);
    return sequence <= sender->highest && (*word & mask);
}

static void remember(struct sender *sender, uint64_t sequence)
{
    if (sequence > sender->highest) {
        /* Numbers in between were not seen yet; their bits are from a window ago. */
        uint64_t gap = sequence - sender->highest;
        if (gap >= TOKEN_WINDOW) {
            memset(sender->seen, 0, sizeof sender->seen);
        } else {
            for (uint64_t i = sender->highest + 1; i <= sequence; i++) {
                uint64_t bit = i % TOKEN_WINDOW;
                sender->seen[bit / WORD_BITS] &= ~(UINT64_C(1) << (bit % WORD_BITS));
            }
        }
        sender->highest = sequence;
    }
    uint64_t bit = sequence % TOKEN_WINDOW;
    sender->seen[bit / WORD_BITS] |= UINT64_C(1) << (bit % WORD_BITS);
}

static bool accept_once(struct token_guard *guard, uint64_t sender_id, uint64_t sequence,
                        int64_t unix_ms)
{
    (void)pthread_mutex_lock(&guard->mutex);
    struct sender *sender = sender_of(guard, sender_id, unix_ms);
    bool is_new           = sender && !seen_before(sender, sequence);
    if (is_new) {
        remember(sender, sequence);
        sender->last_ms = unix_ms;
    }
    (void)pthread_mutex_unlock(&guard->mutex);
    return is_new;
}

static bool mac_matches(const struct identity *identity, const uint8_t *message, bytes block,
                        bytes frames)
{
    uint32_t key        = u32_from((const uint8_t *)block.ptr + KEY_AT);
    size_t signed_size  = block.len - SHA256_SIZE;
    const uint8_t *sent = (const uint8_t *)block.ptr + signed_size;
    for (size_t i = 0; i < identity->secret_count; i++) {
        if (identity->secrets[i].id != key) continue;
        uint8_t mac[SHA256_SIZE];
        sign(identity, i, message, (bytes){block.ptr, signed_size}, frames, mac);
        if (bytes_equal_constant_time(mac, sent, SHA256_SIZE)) return true;
    }
    return false;
}

status token_check(struct token_guard *guard, const struct identity *identity, bytes message,
                   const struct batch_header *header, int64_t unix_ms, str *ret_service,
                   struct error *reterr)
{
    const uint8_t *start = message.ptr;
    const uint8_t *block = start + BATCH_HEADER_SIZE;
    size_t size          = header->auth_size;
    ASSERT(message.len >= BATCH_HEADER_SIZE + size);

    if (size == 0) return fail(reterr, STATUS_UNAUTHENTICATED, "token: missing");
    if (size < NAME_AT + SHA256_SIZE || size > TOKEN_SIZE_MAX ||
        size != NAME_AT + (size_t)block[NAME_LENGTH_AT] + SHA256_SIZE) {
        return fail(reterr, STATUS_UNAUTHENTICATED, "token: malformed");
    }
    bytes frames = {block + size, message.len - BATCH_HEADER_SIZE - size};
    if (!mac_matches(identity, start, (bytes){block, size}, frames)) {
        return fail(reterr, STATUS_UNAUTHENTICATED, "token: wrong, or of a secret unknown here");
    }
    /* Signed by one of us, so the numbers are honest, but perhaps old. */
    uint64_t time_ms = u64_from(block + TIME_AT);
    uint64_t now_ms  = (uint64_t)unix_ms;
    uint64_t skew_ms = time_ms > now_ms ? time_ms - now_ms : now_ms - time_ms;
    if (skew_ms > RPC_CLOCK_SKEW_MS) {
        return fail(reterr, STATUS_UNAUTHENTICATED,
                    "token: made %llu s from now: compare the clocks",
                    (unsigned long long)(skew_ms / 1000));
    }
    if (!accept_once(guard, header->sender, u64_from(block + SEQUENCE_AT), unix_ms)) {
        return fail(reterr, STATUS_UNAUTHENTICATED, "token: used before");
    }
    *ret_service = (str){(const char *)block + NAME_AT, block[NAME_LENGTH_AT]};
    return STATUS_OK;
}
