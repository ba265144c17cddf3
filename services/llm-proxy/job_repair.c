#include "llm-proxy/job_repair.h"

#include "llm-proxy/chat_job.h"
#include "llm-proxy/content.h"
#include "llm-proxy/job_book.h"
#include "json/json_text.h"
#include "json/json_write.h"

#include <string.h>

enum {
    STATE_DEPTH_MAX  = 8,
    STATE_VALUES_MAX = 100,
    PROBLEMS_MAX     = 8'192, /* bytes of what is wrong with one answer */
};

#define ASK_AGAIN                                                                                  \
    "Your answer does not fit. Answer again with nothing but the whole JSON, corrected:\n"

/* --- what was said -----------------------------------------------------------------------------
 */

static int64_t number(json state, const char *key)
{
    int64_t value = 0;
    return json_to_int(json_get_text(state, key), &value) ? value : 0;
}

static void read_usage(json state, Pb__Usage *usage)
{
    int64_t source        = number(state, "cost_source");
    bool is_known         = source >= 0 && source <= PB__COST_SOURCE__COST_SOURCE_UNKNOWN;
    usage->input_tokens   = number(state, "input_tokens");
    usage->output_tokens  = number(state, "output_tokens");
    usage->cost_usd_nanos = number(state, "cost_usd_nanos");
    usage->cost_source = is_known ? (Pb__CostSource)source : PB__COST_SOURCE__COST_SOURCE_UNKNOWN;
}

static bool read_state(struct chat_job *chat, struct job_repair *repair)
{
    const Pb__LeasedJob *leased     = chat->job->leased;
    const struct json_limits limits = {.depth_max  = STATE_DEPTH_MAX,
                                       .values_max = STATE_VALUES_MAX};
    CLEANUP(json_unrefp) json state = json_invalid();
    str text = {(const char *)leased->checkpoint_json.data, leased->checkpoint_json.len};
    if (text.len == 0 || json_parse(text, &limits, &state, NULL, NULL) != STATUS_OK) return false;
    json said     = json_get_text(state, "said");
    bool is_lost  = leased->previous == PB__PREVIOUS_ATTEMPT__PREVIOUS_LOST;
    bool is_of_it = number(state, "attempt") == leased->attempt || is_lost;
    if (!is_of_it || !json_is(said, JSON_ARRAY) || json_count(said) > JOB_REPAIRS_MAX) return false;
    for (size_t i = 0; i < json_count(said); i++) {
        json one = json_at(said, i);
        if (!json_is(json_get_text(one, "answer"), JSON_TEXT)) return false;
        if (!json_is(json_get_text(one, "problems"), JSON_TEXT)) return false;
    }
    repair->said = json_ref(said);
    read_usage(state, &repair->usage);
    return true;
}

static bool put_message(struct chat_job *chat, enum chat_role role, str text,
                        struct chat_message *message)
{
    struct chat_part *part = arena_alloc(chat->arena, sizeof *part);
    if (!part) return false;
    *part    = (struct chat_part){.kind = PART_TEXT, .text = text};
    *message = (struct chat_message){.role = role, .parts = part, .part_count = 1};
    return true;
}

status job_repair_resume(struct chat_job *chat, struct error *reterr)
{
    struct job_repair *repair    = &chat->repair;
    struct chat_request *request = chat->request;
    *repair                      = (struct job_repair){.usage = PB__USAGE__INIT};
    if (!read_state(chat, repair)) return STATUS_OK;
    uint32_t count                = request->message_count;
    uint32_t asks                 = job_repair_count(repair);
    struct chat_message *messages = arena_alloc(chat->arena, (count + 2 * asks) * sizeof *messages);
    bool is_put                   = messages != NULL;
    if (is_put && count > 0) memcpy(messages, request->messages, count * sizeof *messages);
    for (uint32_t i = 0; is_put && i < asks; i++) {
        json said = json_at(repair->said, i);
        is_put    = put_message(chat, ROLE_ASSISTANT, json_str(json_get_text(said, "answer")),
                                &messages[count + 2 * i]) &&
                 put_message(chat, ROLE_USER, json_str(json_get_text(said, "problems")),
                             &messages[count + 2 * i + 1]);
    }
    if (!is_put) return fail(reterr, STATUS_RESOURCE_EXHAUSTED, "the request is too large");
    request->messages      = messages;
    request->message_count = count + 2 * asks;
    return STATUS_OK;
}

void job_repair_done(struct job_repair *repair)
{
    json_unref(json_take(&repair->said));
}

uint32_t job_repair_count(const struct job_repair *repair)
{
    return json_is(repair->said, JSON_ARRAY) ? (uint32_t)json_count(repair->said) : 0;
}

void job_repair_add(const struct job_repair *repair, Pb__Usage *usage)
{
    if (job_repair_count(repair) == 0) return;
    usage->input_tokens += repair->usage.input_tokens;
    usage->output_tokens += repair->usage.output_tokens;
    usage->cost_usd_nanos += repair->usage.cost_usd_nanos;
    if (repair->usage.cost_source > usage->cost_source) {
        usage->cost_source = repair->usage.cost_source; /* the less certain one */
    }
}

/* --- again -------------------------------------------------------------------------------------
 */

static void put_one(struct json_writer *w, str answer, str problems)
{
    json_begin_object(w);
    json_put_text(w, "answer", answer);
    json_put_text(w, "problems", problems);
    json_end_object(w);
}

/* The state as it is with this answer. False: it is too long. */
static bool print_state(const struct chat_job *chat, const struct llm_outcome *outcome, str answer,
                        struct buf *out)
{
    CLEANUP(buf_done) struct buf problems = buf_init(PROBLEMS_MAX);
    struct json_writer w                  = json_writer_init(out);
    Pb__Usage usage                       = outcome->usage;
    job_repair_add(&chat->repair, &usage);
    (void)buf_put_text(&problems, ASK_AGAIN);
    content_explain(chat->request, answer, &problems);
    json_begin_object(&w);
    json_put_int(&w, "attempt", chat->job->leased->attempt);
    json_put_int(&w, "input_tokens", usage.input_tokens);
    json_put_int(&w, "output_tokens", usage.output_tokens);
    json_put_int(&w, "cost_usd_nanos", usage.cost_usd_nanos);
    json_put_int(&w, "cost_source", usage.cost_source);
    json_member(&w, "said");
    json_begin_array(&w);
    for (uint32_t i = 0; i < job_repair_count(&chat->repair); i++) {
        json_write_value(&w, json_at(chat->repair.said, i));
    }
    put_one(&w, answer, buf_str(&problems));
    json_end_array(&w);
    json_end_object(&w);
    return !out->is_full;
}

bool job_repair_again(struct chat_job *chat, const struct llm_outcome *outcome, str answer)
{
    CLEANUP(buf_done) struct buf state = buf_init(WORKER_CHECKPOINT_MAX);
    if (job_repair_count(&chat->repair) >= JOB_REPAIRS_MAX) return false;
    if (outcome->is_stopped || !print_state(chat, outcome, answer, &state)) return false;
    Pb__JobReleased released = PB__JOB_RELEASED__INIT;
    released.reason          = "its answer has another shape: it is asked for again";
    released.checkpoint_json =
        (ProtobufCBinaryData){.data = (uint8_t *)state.ptr, .len = state.len};
    if (outcome->usage.calls > 0) released.usage = (Pb__Usage *)(uintptr_t)&outcome->usage;
    if (chat->is_priced) released.price = &chat->price;
    job_hand_back(chat->job, &released);
    return true;
}
