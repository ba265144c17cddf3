/* Commands of the system partition that change assistants. */
#include "base/assert.h"
#include "scheduler/engine/engine_internal.h"
#include "scheduler/tables/assistant_store.h"
#include "json/json_text.h"

/* --- put ---------------------------------------------------------------------------------------
 */

static status copy_labels(struct engine *engine, json labels, Pb__AssistantRecord *record,
                          struct error *reterr)
{
    size_t count     = json_is(labels, JSON_OBJECT) ? json_count(labels) : 0;
    record->labels   = arena_alloc(engine->arena, (count + 1) * sizeof *record->labels);
    Pb__Label *items = arena_alloc(engine->arena, (count + 1) * sizeof *items);
    if (!record->labels || !items) return fail(reterr, STATUS_RESOURCE_EXHAUSTED, "no memory");
    for (size_t i = 0; i < count; i++) {
        items[i]          = (Pb__Label)PB__LABEL__INIT;
        items[i].key      = text_in(engine->arena, json_key_at(labels, i));
        items[i].value    = text_in(engine->arena, json_str(json_value_at(labels, i)));
        record->labels[i] = &items[i];
    }
    record->n_labels = count;
    return STATUS_OK;
}

static status read_record(struct engine *engine, str namespace, str name,
                          Pb__AssistantRecord **ret_record, struct error *reterr)
{
    struct key key;
    assistant_key(&key, namespace, name, 0);
    status got = record_get(engine->txn, TABLE_ASSISTANTS, key_bytes(&key),
                            &pb__assistant_record__descriptor, engine->arena, ret_record, NULL);
    if (got == STATUS_NOT_FOUND) {
        *ret_record = arena_alloc(engine->arena, sizeof **ret_record);
        if (!*ret_record) return fail(reterr, STATUS_RESOURCE_EXHAUSTED, "no memory");
        **ret_record              = (Pb__AssistantRecord)PB__ASSISTANT_RECORD__INIT;
        (*ret_record)->namespace_ = text_in(engine->arena, namespace);
        (*ret_record)->name       = text_in(engine->arena, name);
        return STATUS_OK;
    }
    return got == STATUS_OK ? got : fail(reterr, got, "an assistant cannot be read");
}

static status put_record(struct engine *engine, const Pb__AssistantRecord *record,
                         struct error *reterr)
{
    struct key key;
    assistant_key(&key, str_from(record->namespace_), str_from(record->name), 0);
    return record_put(engine->txn, TABLE_ASSISTANTS, key_bytes(&key), &record->base, reterr);
}

/* The newest version, if it has this content; else NULL. */
static status find_same(struct engine *engine, const Pb__AssistantRecord *record,
                        ProtobufCBinaryData content, Pb__AssistantView **ret_view,
                        struct error *reterr)
{
    *ret_view = NULL;
    if (record->newest == 0) return STATUS_OK;
    const struct assistant_name newest = {str_from(record->name), record->newest};
    Pb__AssistantView *view            = NULL;
    TRY(assistant_get(engine->txn, str_from(record->namespace_), &newest, engine->arena, &view,
                      reterr));
    if (str_equal(str_of(view->definition_json), str_of(content))) *ret_view = view;
    return STATUS_OK;
}

static status add_version(struct engine *engine, const Pb__PutAssistant *request,
                          Pb__AssistantRecord *record, ProtobufCBinaryData content,
                          Pb__AssistantView **ret_view, struct error *reterr)
{
    Pb__AssistantView *view = arena_alloc(engine->arena, sizeof *view);
    if (!view) return fail(reterr, STATUS_RESOURCE_EXHAUSTED, "no memory");
    *view                 = (Pb__AssistantView)PB__ASSISTANT_VIEW__INIT;
    view->namespace_      = record->namespace_;
    view->name            = record->name;
    view->version         = ++record->last;
    view->created_us      = engine->now_us;
    view->created_by      = text_in(engine->arena, str_from(request->by));
    view->definition_json = content;
    record->newest        = view->version;

    struct key key;
    assistant_key(&key, str_from(record->namespace_), str_from(record->name), view->version);
    TRY(record_put(engine->txn, TABLE_ASSISTANT_VERSIONS, key_bytes(&key), &view->base, reterr));
    *ret_view = view;
    return STATUS_OK;
}

/* values[0]: the definition without labels; values[1]: the labels, or invalid. */
status engine_put_assistant(struct engine *engine, struct command *command, struct error *reterr)
{
    const Pb__PutAssistant *request = command->request;
    Pb__PutAssistantAnswer *answer  = command->response;
    engine_answer(engine, command);
    ASSERT(command->value_count == 2);
    if (!engine->accepts_runs) {
        return command_refuse(command, STATUS_RESOURCE_EXHAUSTED, "store_full",
                              "the store is nearly full");
    }
    Pb__AssistantRecord *record = NULL;
    Pb__AssistantView *view     = NULL;
    TRY(read_record(engine, command->namespace, str_from(request->name), &record, reterr));
    TRY(copy_labels(engine, command->values[1], record, reterr));

    CLEANUP(buf_done) struct buf text = buf_init(ASSISTANT_SIZE_MAX);
    if (!json_print(command->values[0], JSON_SORTED, &text)) {
        return command_refuse(command, STATUS_INVALID_ARGUMENT, "input_invalid",
                              "an assistant has at most %d bytes", ASSISTANT_SIZE_MAX);
    }
    ProtobufCBinaryData content = bytes_in(engine->arena, buf_str(&text));
    if (!content.data) return fail(reterr, STATUS_RESOURCE_EXHAUSTED, "no memory");
    TRY(find_same(engine, record, content, &view, reterr));
    answer->created = view == NULL;
    if (!view) TRY(add_version(engine, request, record, content, &view, reterr));
    TRY(put_record(engine, record, reterr)); /* the labels may be others */
    view->labels      = record->labels;
    view->n_labels    = record->n_labels;
    answer->assistant = view;
    return STATUS_OK;
}

/* --- delete ------------------------------------------------------------------------------------
 */

/* The greatest number that is left; 0: none is. */
static status find_newest(struct engine *engine, const Pb__AssistantRecord *record,
                          uint32_t *ret_newest, struct error *reterr)
{
    struct key prefix;
    assistant_key(&prefix, str_from(record->namespace_), str_from(record->name), 0);
    const struct scan scan                       = {.prefix = key_bytes(&prefix), .backward = true};
    CLEANUP(cursor_closep) struct cursor *cursor = NULL;
    TRY(cursor_open(engine->txn, TABLE_ASSISTANT_VERSIONS, &scan, &cursor, reterr));
    bytes key   = {};
    bytes row   = {};
    status next = cursor_next(cursor, &key, &row, NULL);
    *ret_newest = 0;
    if (next == STATUS_NOT_FOUND) return STATUS_OK;
    if (next != STATUS_OK) return fail(reterr, next, "the versions of an assistant");
    Pb__AssistantView *view = NULL;
    TRY(record_read(row, &pb__assistant_view__descriptor, engine->arena, &view, reterr));
    *ret_newest = view->version;
    return STATUS_OK;
}

/* Runs keep what they got from a version: it is in their journal. */
status engine_delete_assistant(struct engine *engine, struct command *command, struct error *reterr)
{
    const Pb__DeleteAssistantVersion *request = command->request;
    engine_answer(engine, command);
    Pb__AssistantRecord *record      = NULL;
    Pb__AssistantView *view          = NULL;
    const struct assistant_name name = {str_from(request->name), request->version};
    struct error why                 = {};
    status got = assistant_get(engine->txn, command->namespace, &name, engine->arena, &view, &why);
    if (got == STATUS_NOT_FOUND) return command_refuse(command, got, "not_found", "%s", why.text);
    if (got != STATUS_OK) return fail(reterr, got, "%s", why.text);

    struct key key;
    assistant_key(&key, command->namespace, name.name, name.version);
    TRY(txn_delete(engine->txn, TABLE_ASSISTANT_VERSIONS, key_bytes(&key), reterr));
    TRY(read_record(engine, command->namespace, name.name, &record, reterr));
    if (record->newest == name.version) {
        TRY(find_newest(engine, record, &record->newest, reterr));
        TRY(put_record(engine, record, reterr));
    }
    *(Pb__AssistantView *)command->response = *view;
    return STATUS_OK;
}
