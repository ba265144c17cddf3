#include "llm-proxy/jobs/job_repair.h"

#include "llm-proxy/jobs/chat_job.h"
#include "llm-proxy/jobs/job_book.h"
#include "json/json_text.h"
#include "json/json_write.h"

enum {
    STATE_DEPTH_MAX  = 8,
    STATE_VALUES_MAX = 100,
};

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
    bool is_list  = json_is(said, JSON_ARRAY) && json_count(said) <= CHAT_REPAIRS_MAX;
    if (!is_of_it || !is_list) return false;
    for (size_t i = 0; i < json_count(said); i++) {
        json one = json_at(said, i);
        if (!json_is(json_get_text(one, "answer"), JSON_TEXT)) return false;
        if (!json_is(json_get_text(one, "problems"), JSON_TEXT)) return false;
    }
    repair->said = json_ref(said);
    read_usage(state, &repair->usage);
    return true;
}

status job_repair_resume(struct chat_job *chat, struct error *reterr)
{
    struct job_repair *repair = &chat->repair;
    *repair                   = (struct job_repair){.usage = PB__USAGE__INIT};
    if (!read_state(chat, repair)) return STATUS_OK;
    for (uint32_t i = 0; i < job_repair_count(repair); i++) {
        json said = json_at(repair->said, i);
        TRY(repair_go_on(chat->request, json_str(json_get_text(said, "answer")),
                         json_str(json_get_text(said, "problems")), reterr));
    }
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
    if (job_repair_count(repair) > 0) repair_add_usage(usage, &repair->usage);
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
    CLEANUP(buf_done) struct buf problems = buf_init(REPAIR_TEXT_MAX);
    struct json_writer w                  = json_writer_init(out);
    Pb__Usage usage                       = outcome->usage;
    job_repair_add(&chat->repair, &usage);
    repair_explain(chat->request, answer, &problems);
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
    int64_t wanted                     = chat->request->repairs;
    if (wanted < 0) wanted = chat->route->repairs;
    if (job_repair_count(&chat->repair) >= wanted) return false;
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
