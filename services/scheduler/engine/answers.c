/*
 * Answers to requests with an Idempotency-Key, kept for a day: in TABLE_REQUESTS, in the order of
 * time, written with what the request did. A map in memory finds them.
 */
#include "base/assert.h"
#include "base/mem.h"
#include "scheduler/engine/engine_internal.h"

#include <stdlib.h>

enum {
    KEY_DIGITS        = 32,
    REQUEST_ID_KEYED  = 2 * KEY_DIGITS + 1,
    ANSWERS_MAX       = 200'000,
    ANSWERS_SIZE_MAX  = 256 << 20, /* bytes of rows */
    ANSWER_SIZE_MAX   = 64 << 10,  /* bytes of one; a larger one is not kept */
    SWEEP_ANSWERS_MAX = 500,       /* rows a turn */
    ROW_SIZE_MIN      = 200,       /* bytes that a row takes besides the answer, about */
};
#define ANSWER_AGE_US (INT64_C(24) * 3600 * 1'000'000)

struct kept_answer {
    struct kept_answer *next;
    char key[KEY_DIGITS + 1], payload[KEY_DIGITS + 1];
    uint64_t sequence;
    int64_t time_us;
    size_t size_bytes;
};

bool engine_is_keyed(const struct command *command)
{
    return command->request_id.len == REQUEST_ID_KEYED &&
           command->request_id.ptr[KEY_DIGITS] == ':' && command->kind != COMMAND_START;
}

static str key_of(const struct command *command)
{
    return str_slice(command->request_id, 0, KEY_DIGITS);
}

static str payload_of(const struct command *command)
{
    return str_slice(command->request_id, KEY_DIGITS + 1, REQUEST_ID_KEYED);
}

/* --- in memory ---------------------------------------------------------------------------------
 */

static void remember(struct answer_memory *memory, struct kept_answer *kept)
{
    if (!map_put(memory->by_key, str_from(kept->key), kept)) {
        free(kept);
        return;
    }
    if (memory->last) {
        memory->last->next = kept;
    } else {
        memory->first = kept;
    }
    memory->last = kept;
    memory->size_bytes += kept->size_bytes;
}

static void forget_first(struct answer_memory *memory)
{
    struct kept_answer *first = memory->first;
    memory->first             = first->next;
    if (!memory->first) memory->last = NULL;
    memory->size_bytes -= first->size_bytes;
    void *removed = map_remove(memory->by_key, str_from(first->key));
    ASSERT(removed == first);
    free(first);
}

void engine_answers_done(struct engine *engine)
{
    while (engine->answers.first) forget_first(&engine->answers);
    map_free(engine->answers.by_key);
    engine->answers = (struct answer_memory){};
}

static struct answer_memory *memory_of(struct engine *engine)
{
    if (!engine->answers.by_key) engine->answers.by_key = map_new(2 * ANSWERS_MAX);
    return &engine->answers;
}

static struct kept_answer *find(struct engine *engine, const struct command *command)
{
    return map_get(memory_of(engine)->by_key, key_of(command));
}

void engine_answer_recover(struct engine *engine, uint64_t sequence, size_t size_bytes,
                           const Pb__RequestRecord *record)
{
    struct answer_memory *memory = memory_of(engine);
    bool is_fit = strlen(record->id) == KEY_DIGITS && strlen(record->payload) == KEY_DIGITS;
    if (!is_fit || map_get(memory->by_key, str_from(record->id))) return;
    struct kept_answer *kept = mem_new(1, sizeof *kept);
    memcpy(kept->key, record->id, KEY_DIGITS);
    memcpy(kept->payload, record->payload, KEY_DIGITS);
    kept->sequence   = sequence;
    kept->time_us    = record->time_us;
    kept->size_bytes = size_bytes + ROW_SIZE_MIN;
    remember(memory, kept);
}

/* --- answering ---------------------------------------------------------------------------------
 */

static status read_answer(struct engine *engine, const struct kept_answer *kept,
                          struct command *command, struct error *reterr)
{
    Pb__RequestRecord *record    = NULL;
    const struct key_u64 key     = key_of_u64(kept->sequence);
    ProtobufCMessage *response   = command->response;
    ProtobufCMessage *remembered = NULL;
    TRY(record_get(engine->txn, TABLE_REQUESTS, key_u64_bytes(&key),
                   &pb__request_record__descriptor, engine->arena, &record, reterr));
    if (record->code != STATUS_OK) {
        const char *code = text_in(command->arena, str_from(record->error_code));
        return command_refuse(command, (status)record->code, *record->error_code ? code : NULL,
                              "%s", record->error_text);
    }
    if (!response) return STATUS_OK;
    bytes packed = {record->answer.data, record->answer.len};
    TRY(record_read(packed, response->descriptor, command->arena, &remembered, reterr));
    memcpy(response, remembered, response->descriptor->sizeof_message);
    return STATUS_OK;
}

status engine_answer_recall(struct engine *engine, struct command *command, bool *ret_answered,
                            struct error *reterr)
{
    const struct kept_answer *kept = find(engine, command);
    bool is_old                    = kept && engine->now_us - kept->time_us > ANSWER_AGE_US;
    *ret_answered                  = kept && !is_old;
    if (!*ret_answered) return STATUS_OK;
    engine_answer(engine, command);
    if (str_is(payload_of(command), kept->payload)) {
        return read_answer(engine, kept, command, reterr);
    }
    return command_refuse(command, STATUS_INVALID_ARGUMENT, "idempotency_key_reused",
                          "this Idempotency-Key came with another request before");
}

/* --- keeping -----------------------------------------------------------------------------------
 */

static bool is_worth_keeping(const struct engine *engine, const struct command *command)
{
    size_t count     = engine->answered.count;
    bool is_answered = count > 0 && engine->answered.items[count - 1] == command;
    return is_answered && !status_is_transient(command->code);
}

status engine_answer_keep(struct engine *engine, const struct command *command,
                          struct error *reterr)
{
    if (!is_worth_keeping(engine, command) || find(engine, command)) return STATUS_OK;
    const ProtobufCMessage *response = command->code == STATUS_OK ? command->response : NULL;
    size_t size                      = response ? protobuf_c_message_get_packed_size(response) : 0;
    if (size > ANSWER_SIZE_MAX) return STATUS_OK;
    uint8_t *packed = arena_alloc(engine->arena, size + 1);
    if (!packed) return fail(reterr, STATUS_RESOURCE_EXHAUSTED, "no memory");
    if (response) (void)protobuf_c_message_pack(response, packed);

    struct kept_answer *kept = mem_new(1, sizeof *kept);
    memcpy(kept->key, key_of(command).ptr, KEY_DIGITS);
    memcpy(kept->payload, payload_of(command).ptr, KEY_DIGITS);
    kept->sequence   = engine->request_next++;
    kept->time_us    = engine->now_us;
    kept->size_bytes = size + ROW_SIZE_MIN;

    Pb__RequestRecord record = PB__REQUEST_RECORD__INIT;
    const char *code         = command->error.code;
    struct key_u64 key       = key_of_u64(kept->sequence);
    record.id                = kept->key;
    record.payload           = kept->payload;
    record.time_us           = kept->time_us;
    record.code              = (uint32_t)command->code;
    record.error_code        = command->code != STATUS_OK && code ? code : "";
    record.error_text        = command->code != STATUS_OK ? command->error.text : "";
    record.answer            = (ProtobufCBinaryData){.data = packed, .len = size};
    remember(&engine->answers, kept);
    return record_append(engine->txn, TABLE_REQUESTS, key_u64_bytes(&key), &record.base, reterr);
}

/* --- sweeping ----------------------------------------------------------------------------------
 */

status engine_answers_sweep(struct engine *engine, struct error *reterr)
{
    struct answer_memory *memory = memory_of(engine);
    for (size_t i = 0; i < SWEEP_ANSWERS_MAX && memory->first; i++) {
        bool is_old = engine->now_us - memory->first->time_us > ANSWER_AGE_US;
        bool is_much =
            map_count(memory->by_key) > ANSWERS_MAX || memory->size_bytes > ANSWERS_SIZE_MAX;
        if (!is_old && !is_much) return STATUS_OK;
        struct key_u64 key = key_of_u64(memory->first->sequence);
        status deleted     = txn_delete(engine->txn, TABLE_REQUESTS, key_u64_bytes(&key), NULL);
        if (deleted != STATUS_OK && deleted != STATUS_NOT_FOUND) {
            return fail(reterr, deleted, "an old answer cannot be deleted");
        }
        forget_first(memory);
    }
    return STATUS_OK;
}
