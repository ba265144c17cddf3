/* Dead letters of a queue: what was given up, and what to do about it. */
#include "base/clock.h"
#include "dead_letter.pb-c.h"
#include "gateway/api/view.h"
#include "gateway/fleet.h"
#include "gateway/handlers/handlers.h"
#include "run.pb-c.h"

enum { PATCH_MAX = 256 << 10 /* bytes */ };

/* `input_patch` of the body as text; false: it is too large, and the call has been answered. */
static bool print_patch(struct api_call *call, struct buf *out)
{
    json patch = json_get_text(call->body, "input_patch");
    return json_is(patch, JSON_INVALID) || api_print(call, patch, out);
}

static ProtobufCBinaryData bytes_of(const struct buf *text)
{
    return (ProtobufCBinaryData){.data = (uint8_t *)text->ptr, .len = text->len};
}

static void ask(struct api_call *call, const char *method, const void *message, uint16_t partition,
                api_then *then)
{
    const struct api_ask request = {.service   = &pb__dead_letters__descriptor,
                                    .method    = method,
                                    .message   = message,
                                    .partition = partition,
                                    .then      = then};
    api_ask_scheduler(call, &request);
}

/* --- list --------------------------------------------------------------------------------------
 */

static void on_listed(struct api_call *call, const Pb__DeadLetterList *list)
{
    struct api_answer response;
    api_answer_begin(&response, call);
    struct json_writer *w = &response.json;
    json_begin_object(w);
    json_member(w, "items");
    json_begin_array(w);
    for (size_t i = 0; i < list->n_letters; i++) view_dead_letter(w, list->letters[i]);
    json_end_array(w);
    json_member(w, "analysis");
    json_begin_array(w);
    for (size_t i = 0; i < list->n_groups; i++) view_dead_letter_group(w, list->groups[i]);
    json_end_array(w);
    if (*list->next_token) json_put_text(w, "next_page_token", str_from(list->next_token));
    json_end_object(w);
    api_answer_send(&response, 200, NULL);
}

void dead_letters_list(struct api_call *call)
{
    Pb__Page page               = PB__PAGE__INIT;
    Pb__DeadLetterFilter filter = PB__DEAD_LETTER_FILTER__INIT;
    Pb__ListDeadLetters message = PB__LIST_DEAD_LETTERS__INIT;
    str text                    = {};
    if (api_query(call, "error_type", &text)) filter.error_type = text.ptr;
    if (api_query(call, "function", &text)) filter.function = text.ptr;
    if (!api_read_page(call, &page.size, &page.token)) return;
    message.namespace_ = api_namespace(call);
    message.queue      = api_text(call, call->params[0]);
    message.filter     = &filter;
    message.page       = &page;
    fleet_ask_letters(call, &message, on_listed);
}

/* --- redrive, drop -----------------------------------------------------------------------------
 */

static void on_redriven(struct api_call *call, const struct rpc_answer *answer)
{
    const Pb__RedrivenDeadLetter *result = answer->message;
    struct api_answer response;
    api_answer_begin(&response, call);
    json_begin_object(&response.json);
    json_put_text(&response.json, "run", str_from(result->run));
    json_end_object(&response.json);
    api_answer_send(&response, 202, NULL);
}

void dead_letters_redrive(struct api_call *call)
{
    CLEANUP(buf_done) struct buf patch = buf_init(PATCH_MAX);
    if (!api_make_repeatable(call) || !print_patch(call, &patch)) return;
    Pb__RedriveDeadLetter message = PB__REDRIVE_DEAD_LETTER__INIT;
    message.namespace_            = api_namespace(call);
    message.queue                 = api_text(call, call->params[0]);
    message.job                   = api_text(call, call->params[1]);
    message.patch_json            = bytes_of(&patch);
    message.by                    = call->identity.name;
    ask(call, "Redrive", &message, api_partition_of(call, call->params[1]), on_redriven);
}

void dead_letters_drop(struct api_call *call)
{
    Pb__DropDeadLetter message = PB__DROP_DEAD_LETTER__INIT;
    message.namespace_         = api_namespace(call);
    message.queue              = api_text(call, call->params[0]);
    message.job                = api_text(call, call->params[1]);
    message.by                 = call->identity.name;
    ask(call, "Drop", &message, api_partition_of(call, call->params[1]), api_send_nothing);
}

static void send_redriven(struct api_call *call, uint32_t redriven, uint32_t refused,
                          bool is_under_way)
{
    struct api_answer response;
    api_answer_begin(&response, call);
    json_begin_object(&response.json);
    json_put_int(&response.json, "redriven", redriven);
    json_put_int(&response.json, "refused", refused);
    json_put_bool(&response.json, "under_way", is_under_way);
    json_end_object(&response.json);
    api_answer_send(&response, 202, NULL);
}

static void on_all_redriven(struct api_call *call, const Pb__RedrivenDeadLetters *done)
{
    send_redriven(call, done->redriven, done->refused, false);
}

static void on_begun(struct api_call *call, const Pb__QueueView *)
{
    send_redriven(call, 0, 0, true);
}

/* With a rate the scheduler goes on with it by itself. */
static void begin_sweep(struct api_call *call, json rate, Pb__DeadLetterFilter *filter)
{
    Pb__SetQueue message   = PB__SET_QUEUE__INIT;
    Pb__RedriveSweep sweep = PB__REDRIVE_SWEEP__INIT;
    sweep.namespace_       = api_namespace(call);
    sweep.filter           = filter;
    sweep.by               = call->identity.name;
    message.namespace_     = sweep.namespace_;
    message.name           = api_text(call, call->params[0]);
    message.action         = PB__QUEUE_ACTION__QUEUE_ACTION_REDRIVE;
    message.sweep          = &sweep;
    if (queue_rate_read(call, rate, "rate", &sweep.rate_count, &sweep.rate_period_us)) {
        fleet_change_queue(call, &message, on_begun);
    }
}

void dead_letters_redrive_all(struct api_call *call)
{
    if (!api_make_repeatable(call)) return;
    json wanted                    = json_get_text(call->body, "filter");
    json rate                      = json_get_text(call->body, "rate");
    Pb__DeadLetterFilter filter    = PB__DEAD_LETTER_FILTER__INIT;
    Pb__RedriveDeadLetters message = PB__REDRIVE_DEAD_LETTERS__INIT;
    filter.error_type              = api_member(call, wanted, "error_type");
    filter.function                = api_member(call, wanted, "function");
    if (json_is(rate, JSON_OBJECT)) {
        begin_sweep(call, rate, &filter);
        return;
    }
    message.namespace_ = api_namespace(call);
    message.queue      = api_text(call, call->params[0]);
    message.filter     = &filter;
    message.by         = call->identity.name;
    fleet_redrive_all(call, &message, on_all_redriven);
}
