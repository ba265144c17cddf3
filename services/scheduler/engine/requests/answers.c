#include "scheduler/engine/requests/answers.h"

#include "approval.pb-c.h"
#include "run.pb-c.h"
#include "scheduler/engine/engine_internal.h"
#include "scheduler/engine/events/webhooks.h"
#include "subscription.pb-c.h"

enum {
    KEY_DIGITS       = 32,
    REQUEST_ID_KEYED = 2 * KEY_DIGITS + 1,
    ANSWER_SIZE_MAX  = 64 << 10, /* bytes of one; a larger one is not kept */
};

bool engine_is_keyed(const struct command *command)
{
    return command->request_id.len == REQUEST_ID_KEYED &&
           command->request_id.ptr[KEY_DIGITS] == ':' && command->kind != COMMAND_START;
}

/* What changes something that is no run, and does not see by itself that it is repeated: what was
 * set since then must stay, a schedule starts one run for each trigger, and what is gone was there.
 */
static bool is_remembered(enum command_kind kind)
{
    switch (kind) {
    case COMMAND_SET_QUEUE:
    case COMMAND_DRAIN_WORKER:
    case COMMAND_CANCEL_JOB:
    case COMMAND_REDRIVE:
    case COMMAND_DROP_LETTER:
    case COMMAND_SET_LIMIT:
    case COMMAND_SET_BREAKER:
    case COMMAND_PUT_BUDGET:
    case COMMAND_DELETE_BUDGET:
    case COMMAND_PUT_SCHEDULE:
    case COMMAND_PAUSE_SCHEDULE:
    case COMMAND_TRIGGER_SCHEDULE:
    case COMMAND_BACKFILL_SCHEDULE:
    case COMMAND_DELETE_SCHEDULE:
    case COMMAND_SUBSCRIBE:
    case COMMAND_UNSUBSCRIBE:
    case COMMAND_PUT_ASSISTANT:
    case COMMAND_DELETE_ASSISTANT:
    case COMMAND_DELETE_WORKFLOW: return true;
    default: return false; /* it does, or it may be done twice */
    }
}

bool engine_is_answered_once(const struct command *command)
{
    bool has_id = command->request_id.len > 0;
    return engine_is_keyed(command) || (has_id && is_remembered(command->kind));
}

static str key_of(const struct command *command)
{
    bool is_keyed = engine_is_keyed(command);
    return is_keyed ? str_slice(command->request_id, 0, KEY_DIGITS) : command->request_id;
}

static str payload_of(const struct command *command)
{
    bool is_keyed = engine_is_keyed(command);
    return is_keyed ? str_slice(command->request_id, KEY_DIGITS + 1, REQUEST_ID_KEYED) : (str){};
}

static enum request_kind kind_of(const struct command *command)
{
    return engine_is_keyed(command) ? REQUEST_ANSWERED : REQUEST_DONE;
}

/* --- answering ---------------------------------------------------------------------------------
 */

static status answer_as_before(struct engine *engine, const Pb__RequestRecord *record,
                               struct command *command, struct error *reterr)
{
    ProtobufCMessage *response   = command->response;
    ProtobufCMessage *remembered = NULL;
    if (record->code != STATUS_OK) {
        const char *code = text_in(command->arena, str_from(record->error_code));
        return command_refuse(command, (status)record->code, *record->error_code ? code : NULL,
                              "%s", record->error_text);
    }
    if (!response) return STATUS_OK;
    bytes packed = {record->answer.data, record->answer.len};
    TRY(record_read(packed, response->descriptor, command->arena, &remembered, reterr));
    memcpy(response, remembered, response->descriptor->sizeof_message);
    if (command->kind != COMMAND_SUBSCRIBE) return STATUS_OK;
    return engine_subscription_recall(engine, command->response, command->arena, reterr);
}

status engine_answer_recall(struct engine *engine, struct command *command, bool *ret_answered,
                            struct error *reterr)
{
    Pb__RequestRecord *record = NULL;
    TRY(engine_request_row(engine, kind_of(command), key_of(command), &record, reterr));
    *ret_answered = record != NULL;
    if (!record) return STATUS_OK;
    engine_answer(engine, command);
    engine->is_done_before = true;
    command->is_replayed   = engine_is_keyed(command);
    if (str_is(payload_of(command), record->payload)) {
        return answer_as_before(engine, record, command, reterr);
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

/* The run that an answer shows something of, apart from its id; empty: none. */
static const char *run_shown(const ProtobufCMessage *response)
{
    const ProtobufCMessageDescriptor *type = response->descriptor;
    if (type == &pb__run_view__descriptor) return ((const Pb__RunView *)response)->id;
    if (type == &pb__approval_view__descriptor) return ((const Pb__ApprovalView *)response)->run;
    if (type != &pb__started_run__descriptor) return "";
    const Pb__RunView *run = ((const Pb__StartedRun *)response)->run;
    return run ? run->id : "";
}

/* Whose erasure takes what is shown with it: a run begun anew has what the other one was given. An
 * erasure itself shows nothing. */
static status note_runs(struct engine *engine, const struct command *command,
                        const ProtobufCMessage *response, Pb__RequestRecord *record,
                        struct error *reterr)
{
    const char *shown = response ? run_shown(response) : "";
    bool is_variable  = response && response->descriptor == &pb__run_variables__descriptor;
    bool shows_none   = (!*shown && !is_variable) || command->kind == COMMAND_ERASE_RUN;
    if (shows_none) return STATUS_OK;
    record->run       = text_in(engine->arena, str_from(command->run.text));
    record->other_run = shown;
    return record->run ? STATUS_OK : fail(reterr, STATUS_RESOURCE_EXHAUSTED, "no memory");
}

status engine_answer_keep(struct engine *engine, const struct command *command,
                          struct error *reterr)
{
    if (!is_worth_keeping(engine, command)) return STATUS_OK;
    bool is_refused                  = command->code != STATUS_OK;
    const ProtobufCMessage *response = is_refused ? NULL : command->response;
    Pb__Subscription bare            = PB__SUBSCRIPTION__INIT;
    if (response && command->kind == COMMAND_SUBSCRIBE) { /* its row has the secret */
        bare        = *(const Pb__Subscription *)command->response;
        bare.secret = (ProtobufCBinaryData){};
        response    = &bare.base;
    }
    size_t size = response ? protobuf_c_message_get_packed_size(response) : 0;
    if (size > ANSWER_SIZE_MAX) return STATUS_OK;
    uint8_t *packed = arena_alloc(engine->arena, size + 1);
    if (!packed) return fail(reterr, STATUS_RESOURCE_EXHAUSTED, "no memory");
    if (response) (void)protobuf_c_message_pack(response, packed);

    Pb__RequestRecord record = PB__REQUEST_RECORD__INIT;
    const char *code         = command->error.code;
    record.payload           = text_in(engine->arena, payload_of(command));
    record.code              = (uint32_t)command->code;
    record.error_code        = is_refused && code ? code : "";
    record.error_text        = is_refused ? command->error.text : "";
    record.answer            = (ProtobufCBinaryData){.data = packed, .len = size};
    if (!record.payload) return fail(reterr, STATUS_RESOURCE_EXHAUSTED, "no memory");
    TRY(note_runs(engine, command, response, &record, reterr));
    return engine_request_add(engine, kind_of(command), key_of(command), &record, reterr);
}
