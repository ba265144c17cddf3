#include "scheduler/tables/run_wire.h"

#include "base/assert.h"
#include "scheduler/tables/record.h"
#include "json/json_text.h"

enum {
    TASK_REFERENCE_MAX = 8192, /* bytes */
    WAIT_TYPES_MAX     = 200,  /* likewise: of events, for people */
};

enum { JSON_SIZE_MAX = 64 << 20 /* bytes */ };

Pb__RunStatus run_status_wire(enum run_status state)
{
    switch (state) {
    case RUN_PENDING: return PB__RUN_STATUS__RUN_STATUS_PENDING;
    case RUN_RUNNING: return PB__RUN_STATUS__RUN_STATUS_RUNNING;
    case RUN_WAITING: return PB__RUN_STATUS__RUN_STATUS_WAITING;
    case RUN_COMPLETED: return PB__RUN_STATUS__RUN_STATUS_COMPLETED;
    case RUN_FAULTED: return PB__RUN_STATUS__RUN_STATUS_FAULTED;
    case RUN_CANCELLED: return PB__RUN_STATUS__RUN_STATUS_CANCELLED;
    case RUN_TERMINATED: return PB__RUN_STATUS__RUN_STATUS_TERMINATED;
    case RUN_SUSPENDED: return PB__RUN_STATUS__RUN_STATUS_SUSPENDED;
    case RUN_DRAFT: return PB__RUN_STATUS__RUN_STATUS_DRAFT;
    }
    return PB__RUN_STATUS__RUN_STATUS_UNSPECIFIED;
}

bool run_status_wire_is_final(Pb__RunStatus state)
{
    return state >= PB__RUN_STATUS__RUN_STATUS_COMPLETED;
}

void usage_to_wire(const struct usage *usage, Pb__Usage *ret_usage)
{
    *ret_usage                  = (Pb__Usage)PB__USAGE__INIT;
    ret_usage->input_tokens     = usage->input_tokens;
    ret_usage->output_tokens    = usage->output_tokens;
    ret_usage->cached_tokens    = usage->cached_tokens;
    ret_usage->reasoning_tokens = usage->reasoning_tokens;
    ret_usage->cost_usd_nanos   = usage->cost_usd_nanos;
    ret_usage->calls            = usage->calls;
    ret_usage->cost_source      = (Pb__CostSource)usage->source; /* the same numbers */
    ret_usage->simulated        = usage->is_simulated;
}

void usage_from_wire(const Pb__Usage *usage, struct usage *ret_usage)
{
    *ret_usage = (struct usage){};
    if (!usage) return;
    *ret_usage = (struct usage){
        .input_tokens     = usage->input_tokens,
        .output_tokens    = usage->output_tokens,
        .cached_tokens    = usage->cached_tokens,
        .reasoning_tokens = usage->reasoning_tokens,
        .cost_usd_nanos   = usage->cost_usd_nanos,
        .calls            = usage->calls,
        .is_simulated     = usage->simulated,
    };
    bool is_known     = (int)usage->cost_source >= 0 && (int)usage->cost_source <= COST_UNKNOWN;
    ret_usage->source = is_known ? (enum cost_source)usage->cost_source : COST_UNKNOWN;
}

status json_in(struct arena *arena, json value, ProtobufCBinaryData *ret_text, struct error *reterr)
{
    *ret_text = (ProtobufCBinaryData){};
    if (json_is(value, JSON_INVALID)) return STATUS_OK;
    CLEANUP(buf_done) struct buf text = buf_init(JSON_SIZE_MAX);
    bool is_printed                   = json_print(value, JSON_COMPACT, &text);
    if (is_printed) *ret_text = bytes_in(arena, buf_str(&text));
    if (ret_text->data) return STATUS_OK;
    return fail(reterr, STATUS_RESOURCE_EXHAUSTED, "a value does not fit an answer");
}

status json_out(ProtobufCBinaryData text, const char *name, json *ret_value, struct error *reterr)
{
    *ret_value = json_invalid();
    if (text.len == 0) return STATUS_OK;
    struct error why = {};
    status parsed    = json_parse(str_of(text), NULL, ret_value, NULL, &why);
    if (parsed == STATUS_OK) return STATUS_OK;
    const char *code = why.code ? why.code : "invalid_json";
    return fail_code(reterr, parsed, code, "%s: %s", name, why.text);
}

void run_wire_add_head(Pb__RunView *view, const Pb__RunHead *head)
{
    view->last_sequence = head->last_sequence;
    view->jobs_open     = head->jobs_open;
    if (run_status_wire_is_final(view->status)) return;
    view->status            = (Pb__RunStatus)head->status;
    view->progress_permille = head->progress_permille;
    view->phase             = head->phase;
}

static const char *wait_kind(const struct run_wait *wait)
{
    switch (wait->kind) {
    case WAIT_JOB: return "job";
    case WAIT_TIMER: return "timer";
    case WAIT_EVENT: return "event";
    case WAIT_APPROVAL: return "approval";
    case WAIT_CHILD: return "child";
    case WAIT_CACHE: return "slot";
    case WAIT_OPERATOR: return "dead_letter";
    }
    return "";
}

/* One more of a list; what finds no room is left out. */
static void type_put(struct buf *types, str type)
{
    size_t begin = types->len;
    bool is_put  = (begin == 0 || buf_put_text(types, ", ")) && buf_put_str(types, type);
    if (!is_put) types->len = begin;
}

/* The types that a `listen` names, as far as they are texts: "order.paid, order.packed". */
static char *types_in(struct arena *arena, const struct event_strategy *strategy)
{
    CLEANUP(buf_done) struct buf types = buf_init(WAIT_TYPES_MAX);
    for (uint32_t i = 0; i < strategy->filter_count; i++) {
        const struct event_filter *filter = &strategy->filters[i];
        for (uint32_t j = 0; j < filter->attribute_count; j++) {
            const struct event_attribute *attribute = &filter->attributes[j];
            bool is_type =
                strcmp(attribute->name, "type") == 0 && json_is(attribute->literal, JSON_TEXT);
            if (is_type) type_put(&types, json_str(attribute->literal));
        }
    }
    return text_in(arena, buf_str(&types));
}

static status fill_waits(Pb__RunView *view, const struct run *run, struct arena *arena,
                         struct error *reterr)
{
    struct run_wait waits[RUN_WAITS_SHOWN_MAX];
    size_t count = run_waits(run, waits, RUN_WAITS_SHOWN_MAX);

    Pb__Waiting **list = arena_alloc(arena, (count + 1) * sizeof *list);
    Pb__Waiting *shown = arena_alloc(arena, (count + 1) * sizeof *shown);
    if (!list || !shown) return fail(reterr, STATUS_RESOURCE_EXHAUSTED, "an answer is too large");
    for (size_t i = 0; i < count; i++) {
        shown[i]                               = (Pb__Waiting)PB__WAITING__INIT;
        shown[i].kind                          = wait_kind(&waits[i]);
        CLEANUP(buf_done) struct buf reference = buf_init(TASK_REFERENCE_MAX);
        run_wait_put(run, &waits[i], &reference);
        shown[i].task     = text_in(arena, buf_str(&reference));
        shown[i].since_us = waits[i].since_us;
        shown[i].due_us   = waits[i].due_us;
        shown[i].detail   = waits[i].kind == WAIT_EVENT ? types_in(arena, &waits[i].task->listen.to)
                                                        : text_in(arena, waits[i].id);
        list[i]           = &shown[i];
    }
    view->n_waiting_for = count;
    view->waiting_for   = list;
    return STATUS_OK;
}

static status fill_compensation(Pb__RunView *view, const struct run *run, struct arena *arena,
                                struct error *reterr)
{
    const struct run_compensation undone = run_compensation(run);
    view->compensation                   = NULL;
    if (undone.total == 0) return STATUS_OK;
    Pb__Compensation *shown = arena_alloc(arena, sizeof *shown);
    if (!shown) return fail(reterr, STATUS_RESOURCE_EXHAUSTED, "an answer is too large");
    *shown             = (Pb__Compensation)PB__COMPENSATION__INIT;
    shown->total       = undone.total;
    shown->done        = undone.done;
    shown->failed      = undone.failed;
    view->compensation = shown;
    return STATUS_OK;
}

status run_wire_fill(Pb__RunView *view, const struct run *run, bool is_full, struct arena *arena,
                     struct error *reterr)
{
    view->status            = run_status_wire(run_status(run));
    view->started_us        = run_started_us(run);
    view->ended_us          = run_ended_us(run);
    view->deadline_us       = run_deadline_us(run);
    view->priority          = run_priority(run);
    view->progress_permille = run_progress_permille(run);
    view->phase             = text_in(arena, str_from(run_phase(run)));
    view->last_sequence     = run_sequence(run);
    view->budget_usd_nanos  = run_budget_usd_nanos(run);
    view->budget_tokens     = run_budget_tokens(run);
    view->jobs_open         = run_jobs_open(run);
    view->usage             = arena_alloc(arena, sizeof *view->usage);
    if (!view->usage || !view->phase) {
        return fail(reterr, STATUS_RESOURCE_EXHAUSTED, "an answer is too large");
    }
    usage_to_wire(run_usage(run), view->usage);
    TRY(json_in(arena, run_error(run), &view->error_json, reterr));
    TRY(fill_waits(view, run, arena, reterr));
    TRY(fill_compensation(view, run, arena, reterr));
    if (!is_full) return STATUS_OK;
    TRY(json_in(arena, run_input(run), &view->input_json, reterr));
    return json_in(arena, run_output(run), &view->output_json, reterr);
}

status run_wire_to_row(Pb__RunView *view, struct arena *arena, struct error *reterr)
{
    view->n_waiting_for = 0;
    view->waiting_for   = NULL;
    view->input_json    = (ProtobufCBinaryData){};
    view->output_json   = (ProtobufCBinaryData){};
    if (view->error_json.len <= RUN_ROW_ERROR_MAX) return STATUS_OK;

    CLEANUP(json_unrefp) json error = json_invalid();
    TRY(json_out(view->error_json, "error", &error, reterr));
    CLEANUP(json_unrefp) json brief = json_object_new(3);
    const char *const members[]     = {"type", "status", "title"};
    for (size_t i = 0; i < ARRAY_LEN(members); i++) {
        json member   = json_get_text(error, members[i]);
        bool is_short = json_is_number(member) || (json_is(member, JSON_TEXT) &&
                                                   json_str(member).len < RUN_ROW_ERROR_MAX / 4);
        if (is_short) json_object_put_text(&brief, members[i], json_ref(member));
    }
    return json_in(arena, brief, &view->error_json, reterr);
}
