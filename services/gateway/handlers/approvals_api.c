/* Approvals: what waits for a person. */
#include "approval.pb-c.h"

#include "base/assert.h"
#include "gateway/api/paging.h"
#include "gateway/api/view.h"
#include "gateway/handlers/handlers.h"
#include "json/json_text.h"

enum { DATA_MAX = 256 << 10 /* bytes */, TAG_SIZE = 24 };

static void ask_list(struct api_call *call);

static void on_listed(struct api_call *call, const struct rpc_answer *answer)
{
    const Pb__ApprovalList *list = answer->message;
    struct json_writer *items    = paging_items(call);
    for (size_t i = 0; i < list->n_approvals; i++) view_approval(items, list->approvals[i]);
    if (!paging_ended(call, list->n_approvals, list->next_token)) ask_list(call);
}

static bool read_filters(struct api_call *call, Pb__ListApprovals *message)
{
    str text = {};
    if (api_query(call, "run", &text)) message->run = text.ptr;
    return !api_query(call, "status", &text) || approval_status_parse(text, &message->status);
}

static void ask_list(struct api_call *call)
{
    Pb__ListApprovals message = PB__LIST_APPROVALS__INIT;
    Pb__Page page             = PB__PAGE__INIT;
    uint16_t partition        = paging_page(call, &page);
    message.namespace_        = api_namespace(call);
    message.page              = &page;
    (void)read_filters(call, &message); /* they were read before */
    const struct api_ask ask = {.service   = &pb__approvals__descriptor,
                                .method    = "List",
                                .message   = &message,
                                .partition = partition,
                                .then      = on_listed,
                                .failed    = paging_failed};
    api_ask_scheduler(call, &ask);
}

void approvals_list(struct api_call *call)
{
    struct error error        = {};
    Pb__ListApprovals message = PB__LIST_APPROVALS__INIT;
    if (!read_filters(call, &message)) {
        api_fail_with(call, "invalid_request", (str){},
                      "status: pending, approved, rejected, expired or cancelled");
        return;
    }
    status code = paging_begin(call, &error);
    if (code != STATUS_OK) {
        api_fail(call, code, &error);
        return;
    }
    ask_list(call);
}

static void on_approval(struct api_call *call, const struct rpc_answer *answer)
{
    const Pb__ApprovalView *approval = answer->message;
    struct api_answer response;
    api_answer_begin(&response, call);
    view_approval(&response.json, approval);
    api_answer_send_tagged(&response, 200, approval->revision);
}

void approvals_get(struct api_call *call)
{
    Pb__GetApproval message = PB__GET_APPROVAL__INIT;
    message.id              = api_text(call, call->params[0]);
    message.namespace_      = api_namespace(call);
    api_ask_owner(call, &pb__approvals__descriptor, "Get", &message, on_approval);
}

/* Labels of the caller's key; `*ret_count` of them. */
static Pb__Label **labels_of(struct api_call *call, size_t *ret_count)
{
    char(*texts)[IDENTITY_LABEL_MAX + 1] =
        arena_alloc(call->arena, IDENTITY_LABELS_MAX * sizeof *texts);
    Pb__Label *items  = arena_alloc(call->arena, IDENTITY_LABELS_MAX * sizeof *items);
    Pb__Label **array = arena_alloc(call->arena, IDENTITY_LABELS_MAX * sizeof *array);
    ASSERT(texts && items && array);
    size_t count =
        identity_labels(call->api->keys, call->identity.key_id, texts, IDENTITY_LABELS_MAX);
    for (size_t i = 0; i < count; i++) {
        char *colon = strchr(texts[i], ':');
        pb__label__init(&items[i]);
        if (colon) *colon = '\0';
        items[i].key   = texts[i];
        items[i].value = colon ? colon + 1 : "";
        array[i]       = &items[i];
    }
    *ret_count = count;
    return array;
}

static void decide(struct api_call *call, bool approve)
{
    CLEANUP(buf_done) struct buf data = buf_init(DATA_MAX);
    json comment                      = json_get_text(call->body, "comment");
    if (!api_make_repeatable(call)) return;
    if (!api_print(call, json_get_text(call->body, "data"), &data)) return;

    Pb__DecideApproval message = PB__DECIDE_APPROVAL__INIT;
    message.id                 = api_text(call, call->params[0]);
    message.namespace_         = api_namespace(call);
    message.approve            = approve;
    message.by                 = call->identity.name;
    message.by_id              = call->identity.key_id;
    message.data_json = (ProtobufCBinaryData){.data = (uint8_t *)data.ptr, .len = data.len};
    if (json_is(comment, JSON_TEXT)) {
        message.comment = api_text(call, json_str(comment));
    }
    message.by_labels = labels_of(call, &message.n_by_labels);
    api_ask_owner(call, &pb__approvals__descriptor, "Decide", &message, on_approval);
}

void approvals_approve(struct api_call *call)
{
    decide(call, true);
}

void approvals_reject(struct api_call *call)
{
    decide(call, false);
}

/* --- editing -----------------------------------------------------------------------------------
 */

/* If-Match: "7". False: the call was answered. */
static bool read_tag(struct api_call *call, uint64_t *ret_revision)
{
    str tag = httpd_request_field(call->request, "if-match");
    if (tag.len == 0) {
        api_fail_with(call, "precondition_required", (str){},
                      "If-Match with the ETag of GET /v1/approvals/{id} is required");
        return false;
    }
    uint64_t revision = 0;
    bool is_good =
        tag.len > 2 && tag.len < TAG_SIZE && tag.ptr[0] == '"' && tag.ptr[tag.len - 1] == '"';
    for (size_t i = 1; is_good && i + 1 < tag.len; i++) {
        is_good  = tag.ptr[i] >= '0' && tag.ptr[i] <= '9';
        revision = revision * 10 + (uint64_t)(tag.ptr[i] - '0');
    }
    if (!is_good) {
        api_fail_with(call, "precondition_failed", (str){},
                      "If-Match is no ETag of this approval; read it again");
        return false;
    }
    *ret_revision = revision;
    return true;
}

void approvals_edit(struct api_call *call)
{
    CLEANUP(buf_done) struct buf patch = buf_init(2 * DATA_MAX);
    Pb__EditApproval message           = PB__EDIT_APPROVAL__INIT;
    if (!read_tag(call, &message.revision) || !api_print(call, call->body, &patch)) return;
    message.id         = api_text(call, call->params[0]);
    message.namespace_ = api_namespace(call);
    message.by         = call->identity.name;
    message.by_labels  = labels_of(call, &message.n_by_labels);
    message.patch_json = (ProtobufCBinaryData){.data = (uint8_t *)patch.ptr, .len = patch.len};
    api_ask_owner(call, &pb__approvals__descriptor, "Edit", &message, on_approval);
}
