/* Assistants: kept in the system partition, by namespace, name and version. */
#include "scheduler/run/assistant_body.h"
#include "scheduler/services/assistant_tools.h"
#include "scheduler/services/call.h"
#include "scheduler/services/row_page.h"
#include "scheduler/services/services.h"
#include "scheduler/tables/assistant_store.h"
#include "scheduler/tables/function_registry.h"
#include "scheduler/tables/run_wire.h"
#include "json/json_text.h"

/* The system partition, or NULL. */
static struct shard *system_shard(const struct rpc_call *call)
{
    return scheduler_shard(call->context, 0);
}

/* Names are kept in one namespace; a key of all namespaces that names none means "default". */
static str namespace_of(const struct rpc_call *call, const char *of_message)
{
    return namespace_of_keys(call_namespace(call, of_message));
}

static status check_name(const char *name, struct error *reterr)
{
    if (assistant_name_is_valid(str_from(name))) return STATUS_OK;
    return fail_code(reterr, STATUS_INVALID_ARGUMENT, "input_invalid",
                     "/name: lower-case letters, digits and dashes, at most %d",
                     ASSISTANT_NAME_MAX);
}

static status no_memory(struct error *reterr)
{
    return fail(reterr, STATUS_RESOURCE_EXHAUSTED, "the request is too large");
}

/* --- put and delete ----------------------------------------------------------------------------
 */

static status check_definition(struct rpc_call *call, json definition, struct error *reterr)
{
    const Pb__PutAssistant *request = call->request;
    struct diagnostics *findings    = diagnostics_new(call->arena);
    CLEANUP(function_catalog_unrefp)
    const struct function_catalog *catalog =
        function_registry_get(scheduler_functions(call->context));
    if (!findings) return no_memory(reterr);
    assistant_check(definition, findings);
    assistant_tools_check(definition, namespace_of(call, request->namespace_), catalog, findings);
    if (findings->errors == 0) return STATUS_OK;
    call_set_findings(call, findings);
    return fail_code(reterr, STATUS_INVALID_ARGUMENT, "input_invalid", "%s: %s",
                     findings->items[0].pointer, findings->items[0].detail);
}

/* Splits what a client sent into what a version is made of, and the labels. */
static status read_definition(struct rpc_call *call, struct command *command, struct error *reterr)
{
    const Pb__PutAssistant *request = call->request;
    CLEANUP(json_unrefp) json sent  = json_invalid();
    TRY(json_out(request->definition_json, "assistant", &sent, reterr));
    TRY(check_definition(call, sent, reterr));
    command->values[1] = json_ref(json_get_text(sent, "labels"));
    (void)json_object_remove(&sent, str_from("labels"));
    command->values[0] = json_take(&sent);
    return STATUS_OK;
}

static status put(struct rpc_call *call, struct error *reterr)
{
    const Pb__PutAssistant *request = call->request;
    if (!system_shard(call)) return call_moved(call, 0);
    TRY(check_name(request->name, reterr));
    struct command *command = call_command(call, COMMAND_PUT_ASSISTANT, 2);
    if (!command) return no_memory(reterr);
    command->namespace = namespace_of(call, request->namespace_);
    status read        = read_definition(call, command, reterr);
    if (read != STATUS_OK) {
        command_release(command);
        return read;
    }
    call_post(call, system_shard(call), command);
    return STATUS_OK;
}

static status delete_version(struct rpc_call *call, struct error *reterr)
{
    const Pb__DeleteAssistantVersion *request = call->request;
    if (!system_shard(call)) return call_moved(call, 0);
    TRY(check_name(request->name, reterr));
    if (request->version == 0) {
        return fail_code(reterr, STATUS_INVALID_ARGUMENT, "input_invalid",
                         "/version: which one, from 1");
    }
    struct command *command = call_command(call, COMMAND_DELETE_ASSISTANT, 0);
    if (!command) return no_memory(reterr);
    command->namespace = namespace_of(call, request->namespace_);
    call_post(call, system_shard(call), command);
    return STATUS_OK;
}

/* --- get and render ----------------------------------------------------------------------------
 */

static status read_view(struct rpc_call *call, str namespace, const struct assistant_name *name,
                        Pb__AssistantView **ret_view, struct error *reterr)
{
    CLEANUP(txn_abortp) struct txn *txn = NULL;
    TRY(txn_begin_read(system_shard(call)->partition->store, &txn, reterr));
    return assistant_get(txn, namespace, name, call->arena, ret_view, reterr);
}

static status get(struct rpc_call *call, struct error *reterr)
{
    const Pb__GetAssistant *request  = call->request;
    const struct assistant_name name = {str_from(request->name), request->version};
    Pb__AssistantView *view          = NULL;
    if (!system_shard(call)) return call_moved(call, 0);
    TRY(check_name(request->name, reterr));
    TRY(read_view(call, namespace_of(call, request->namespace_), &name, &view, reterr));
    *(Pb__AssistantView *)call->response = *view;
    rpc_reply(call, STATUS_OK, NULL);
    return STATUS_OK;
}

static json messages_new(json system)
{
    json messages = json_array_new(1);
    if (json_str(system).len == 0) return messages;
    json message = json_object_new(2);
    json_object_put_text(&message, "role", json_text_from("system"));
    json_object_put_text(&message, "content", json_ref(system));
    json_array_push(&messages, message);
    return messages;
}

static status render(struct rpc_call *call, struct error *reterr)
{
    const Pb__RenderAssistant *request   = call->request;
    Pb__RenderedAssistant *answer        = call->response;
    const struct assistant_name name     = {str_from(request->name), request->version};
    Pb__AssistantView *view              = NULL;
    CLEANUP(json_unrefp) json definition = json_invalid();
    CLEANUP(json_unrefp) json variables  = json_invalid();
    CLEANUP(json_unrefp) json system     = json_invalid();
    if (!system_shard(call)) return call_moved(call, 0);
    TRY(check_name(request->name, reterr));
    TRY(read_view(call, namespace_of(call, request->namespace_), &name, &view, reterr));
    TRY(assistant_definition(view, &definition, reterr));
    TRY(json_out(request->variables_json, "variables", &variables, reterr));

    struct diagnostics *findings = diagnostics_new(call->arena);
    if (!findings) return no_memory(reterr);
    status rendered =
        assistant_render(definition, variables, call->arena, findings, &system, reterr);
    if (rendered != STATUS_OK) call_set_findings(call, findings);
    TRY(rendered);
    CLEANUP(json_unrefp) json messages = messages_new(system);
    answer->name                       = view->name;
    answer->version                    = view->version;
    answer->model = text_in(call->arena, json_str(json_get_text(definition, "model")));
    TRY(json_in(call->arena, messages, &answer->messages_json, reterr));
    rpc_reply(call, STATUS_OK, NULL);
    return STATUS_OK;
}

/* --- apply -------------------------------------------------------------------------------------
 */

/* "assistant/NAME" or "assistant/NAME:VERSION" of the body, or of the path. */
static status read_reference(str path, json body, struct assistant_name *ret_name,
                             struct error *reterr)
{
    static const char prefix[] = "assistant/";
    json model                 = json_get_text(body, "model");
    str text                   = path;
    if (text.len == 0 && json_is(model, JSON_TEXT)) text = json_str(model);
    bool is_one = str_starts_with(text, str_from(prefix)) &&
                  assistant_name_read(str_slice(text, sizeof prefix - 1, text.len), ret_name);
    if (is_one) return STATUS_OK;
    return fail_code(reterr, STATUS_INVALID_ARGUMENT, "input_invalid",
                     "/model: write `assistant/NAME` or `assistant/NAME:VERSION`");
}

static status list_fallbacks(struct rpc_call *call, json models, struct error *reterr)
{
    Pb__AppliedAssistant *answer = call->response;
    size_t count                 = json_count(models);
    answer->fallbacks            = arena_alloc(call->arena, (count + 1) * sizeof(char *));
    if (!answer->fallbacks) return no_memory(reterr);
    for (size_t i = 0; i < count; i++) {
        answer->fallbacks[i] = text_in(call->arena, json_str(json_at(models, i)));
        if (!answer->fallbacks[i]) return no_memory(reterr);
        answer->n_fallbacks++;
    }
    return STATUS_OK;
}

static enum assistant_protocol protocol_of(Pb__AssistantProtocol protocol)
{
    switch (protocol) {
    case PB__ASSISTANT_PROTOCOL__ASSISTANT_PROTOCOL_ANTHROPIC: return ASSISTANT_ANTHROPIC;
    case PB__ASSISTANT_PROTOCOL__ASSISTANT_PROTOCOL_COUNT: return ASSISTANT_COUNT;
    case PB__ASSISTANT_PROTOCOL__ASSISTANT_PROTOCOL_GEMINI: return ASSISTANT_GEMINI;
    default: return ASSISTANT_OPENAI;
    }
}

static status apply(struct rpc_call *call, struct error *reterr)
{
    const Pb__ApplyAssistant *request    = call->request;
    Pb__AppliedAssistant *answer         = call->response;
    struct assistant_name name           = {};
    Pb__AssistantView *view              = NULL;
    CLEANUP(json_unrefp) json definition = json_invalid();
    CLEANUP(json_unrefp) json body       = json_invalid();
    CLEANUP(json_unrefp) json applied    = json_invalid();
    if (!system_shard(call)) return call_moved(call, 0);
    TRY(json_out(request->body_json, "body", &body, reterr));
    TRY(read_reference(str_from(request->model), body, &name, reterr));
    TRY(read_view(call, namespace_of(call, request->namespace_), &name, &view, reterr));
    TRY(assistant_definition(view, &definition, reterr));
    TRY(assistant_apply_body(definition, protocol_of(request->protocol), body, call->arena,
                             &applied, reterr));
    TRY(list_fallbacks(call, json_get_text(definition, "fallbacks"), reterr));
    answer->name    = view->name;
    answer->version = view->version;
    answer->model   = text_in(call->arena, json_str(json_get_text(definition, "model")));
    if (!answer->model) return no_memory(reterr);
    TRY(json_in(call->arena, applied, &answer->body_json, reterr));
    rpc_reply(call, STATUS_OK, NULL);
    return STATUS_OK;
}

/* --- lists -------------------------------------------------------------------------------------
 */

struct versions {
    struct arena *arena;
    Pb__AssistantList *answer;
};

static status take_version(bytes, bytes row, struct error *reterr, void *context)
{
    const struct versions *versions = context;
    Pb__AssistantView **place       = &versions->answer->assistants[versions->answer->n_assistants];
    TRY(record_read(row, &pb__assistant_view__descriptor, versions->arena, place, reterr));
    versions->answer->n_assistants++;
    return STATUS_OK;
}

static status versions(struct rpc_call *call, struct error *reterr)
{
    const Pb__GetAssistant *request  = call->request;
    Pb__AssistantList *answer        = call->response;
    const struct assistant_name name = {.name = str_from(request->name)};
    str namespace                    = namespace_of(call, request->namespace_);
    Pb__AssistantView *newest        = NULL;
    if (!system_shard(call)) return call_moved(call, 0);
    TRY(check_name(request->name, reterr));
    TRY(read_view(call, namespace, &name, &newest, reterr));
    answer->assistants = arena_alloc(call->arena, ASSISTANT_VERSIONS_MAX * sizeof(void *));
    if (!answer->assistants) return no_memory(reterr);

    CLEANUP(txn_abortp) struct txn *txn = NULL;
    TRY(txn_begin_read(system_shard(call)->partition->store, &txn, reterr));
    struct key prefix;
    assistant_key(&prefix, namespace, name.name, 0);
    const struct scan scan = {.prefix = key_bytes(&prefix), .backward = true};
    struct page page       = {};
    struct versions found  = {.arena = call->arena, .answer = answer};
    TRY(txn_page(txn, TABLE_ASSISTANT_VERSIONS, &scan, ASSISTANT_VERSIONS_MAX, &page, take_version,
                 &found, reterr));
    for (size_t i = 0; i < answer->n_assistants; i++) {
        answer->assistants[i]->labels   = newest->labels;
        answer->assistants[i]->n_labels = newest->n_labels;
    }
    rpc_reply(call, STATUS_OK, NULL);
    return STATUS_OK;
}

/* Assistants of a namespace, each with its newest version, by name. */
struct listing {
    const Pb__ListAssistants *request;
    str namespace;
    struct arena *arena;
    Pb__AssistantList *answer;
    struct row_page page;
};

static status take_row(struct txn *txn, bytes row, void *context, bool *ret_is_full,
                       struct error *reterr)
{
    struct listing *list              = context;
    const Pb__ListAssistants *request = list->request;
    Pb__AssistantRecord *record       = NULL;
    TRY(record_read(row, &pb__assistant_record__descriptor, list->arena, &record, reterr));
    bool is_wanted =
        record->newest > 0 && assistant_has_labels(record, request->labels, request->n_labels);
    if (!is_wanted) return STATUS_OK;
    *ret_is_full = list->answer->n_assistants == list->page.size;
    if (*ret_is_full) return STATUS_OK;
    const struct assistant_name name = {.name = str_from(record->name)};
    Pb__AssistantView **place        = &list->answer->assistants[list->answer->n_assistants];
    TRY(assistant_get(txn, list->namespace, &name, list->arena, place, reterr));
    list->answer->n_assistants++;
    return STATUS_OK;
}

/* What a page token must belong to. */
static status filters_of(const struct listing *list, struct buf *out, struct error *reterr)
{
    bool is_put = buf_put_str(out, list->namespace);
    for (size_t i = 0; i < list->request->n_labels; i++) {
        const Pb__Label *label = list->request->labels[i];
        is_put &= buf_printf(out, "\x1f%s\x1f%s", label->key, label->value);
    }
    return is_put ? STATUS_OK : no_memory(reterr);
}

static status list(struct rpc_call *call, struct error *reterr)
{
    const Pb__ListAssistants *request = call->request;
    struct shard *shard               = system_shard(call);
    if (!shard) return call_moved(call, 0);
    struct listing listing               = {.request   = request,
                                            .namespace = namespace_of(call, request->namespace_),
                                            .arena     = call->arena,
                                            .answer    = call->response};
    CLEANUP(buf_done) struct buf filters = buf_init(64 << 10);
    TRY(filters_of(&listing, &filters, reterr));
    TRY(row_page_begin(request->page, buf_str(&filters), call->arena, &listing.page, reterr));
    listing.answer->assistants = arena_alloc(call->arena, listing.page.size * sizeof(void *));
    if (!listing.answer->assistants) return no_memory(reterr);
    struct key prefix;
    assistant_key(&prefix, listing.namespace, (str){}, 0);
    CLEANUP(txn_abortp) struct txn *txn = NULL;
    TRY(txn_begin_read(shard->partition->store, &txn, reterr));
    TRY(row_page_walk(&listing.page, txn, TABLE_ASSISTANTS,
                      (struct scan){.prefix = key_bytes(&prefix)}, take_row, &listing, reterr));
    listing.answer->next_token = row_page_next(&listing.page, call->arena);
    rpc_reply(call, STATUS_OK, NULL);
    return STATUS_OK;
}

const struct rpc_method assistant_service_methods[] = {
    {.name = "Put", .handle = put},
    {.name = "Get", .handle = get},
    {.name = "List", .handle = list},
    {.name = "Versions", .handle = versions},
    {.name = "DeleteVersion", .handle = delete_version},
    {.name = "Render", .handle = render},
    {.name = "Apply", .handle = apply},
    {},
};
