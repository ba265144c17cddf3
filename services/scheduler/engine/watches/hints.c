#include "scheduler/engine/watches/hints.h"

#include "base/assert.h"
#include "rpc/rpc_hint.h"

#include <assert.h>

enum { HINTS_PER_MESSAGE = 100, HINT_SIZE = 48 /* bytes of one, packed, at most */ };
static_assert(HINTS_PER_MESSAGE * HINT_SIZE < RPC_HINT_SIZE_MAX);

void hints_init(struct hints *hints)
{
    int failed = pthread_mutex_init(&hints->mutex, NULL);
    ASSERT(!failed);
    hints->publisher = NULL;
}

void hints_done(struct hints *hints)
{
    (void)pthread_mutex_destroy(&hints->mutex);
}

void hints_publish_by(struct hints *hints, struct rpc_publisher *publisher)
{
    (void)pthread_mutex_lock(&hints->mutex);
    hints->publisher = publisher;
    (void)pthread_mutex_unlock(&hints->mutex);
}

static void publish(struct rpc_publisher *publisher, uint16_t partition,
                    const struct run_move *moves, size_t count)
{
    Pb__RunHint hints[HINTS_PER_MESSAGE];
    Pb__RunHint *list[HINTS_PER_MESSAGE];
    uint8_t packed[HINTS_PER_MESSAGE * HINT_SIZE];
    ASSERT(count <= HINTS_PER_MESSAGE);
    for (size_t i = 0; i < count; i++) {
        hints[i]          = (Pb__RunHint)PB__RUN_HINT__INIT;
        hints[i].run_id   = moves[i].run.text;
        hints[i].sequence = moves[i].sequence;
        hints[i].status   = moves[i].status;
        list[i]           = &hints[i];
    }
    Pb__RunHints message = PB__RUN_HINTS__INIT;
    message.hints        = list;
    message.n_hints      = count;
    ASSERT(protobuf_c_message_get_packed_size(&message.base) <= sizeof packed);
    size_t size_bytes = protobuf_c_message_pack(&message.base, packed);
    rpc_publish(publisher, partition, (bytes){packed, size_bytes});
}

void hints_runs(struct hints *hints, uint16_t partition, const struct run_move *moves, size_t count)
{
    (void)pthread_mutex_lock(&hints->mutex);
    bool is_heard = hints->publisher && rpc_publisher_is_heard(hints->publisher);
    for (size_t i = 0; is_heard && i < count; i += HINTS_PER_MESSAGE) {
        size_t left = count - i;
        publish(hints->publisher, partition, &moves[i],
                left < HINTS_PER_MESSAGE ? left : HINTS_PER_MESSAGE);
    }
    (void)pthread_mutex_unlock(&hints->mutex);
}

void hints_key(struct hints *hints, const char *id)
{
    uint8_t packed[HINT_SIZE];
    const char *keys[]   = {id};
    Pb__RunHints message = PB__RUN_HINTS__INIT;
    message.keys         = keys;
    message.n_keys       = ARRAY_LEN(keys);
    if (protobuf_c_message_get_packed_size(&message.base) > sizeof packed) return;
    size_t size_bytes = protobuf_c_message_pack(&message.base, packed);
    (void)pthread_mutex_lock(&hints->mutex);
    bool is_heard = hints->publisher && rpc_publisher_is_heard(hints->publisher);
    if (is_heard) rpc_publish(hints->publisher, 0, (bytes){packed, size_bytes});
    (void)pthread_mutex_unlock(&hints->mutex);
}
