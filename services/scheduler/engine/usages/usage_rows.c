#include "scheduler/engine/usages/usage_rows.h"

#include "fleet/usage_sum.h"
#include "scheduler/engine/budgets/engine_budgets.h"
#include "scheduler/tables/run_wire.h"

enum { TEXT_MAX = 4'096 /* bytes of all names of a row */ };

#define DAY_US INT64_C(86'400'000'000)

/* The key of a row: its day, and its names as one text. */
static status key_of(const Pb__UsageRecord *row, struct key *ret_key, struct error *reterr)
{
    const char *const names[]         = {row->namespace_, row->key,   row->workflow,
                                         row->provider,   row->model, row->label};
    CLEANUP(buf_done) struct buf text = buf_init(TEXT_MAX);
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        (void)buf_put_text(&text, names[i]);
        (void)buf_put_byte(&text, '\x1f');
    }
    if (text.is_full) return fail(reterr, STATUS_RESOURCE_EXHAUSTED, "names that are too long");
    key_begin(ret_key);
    key_put_u32(ret_key, row->day);
    key_put_text(ret_key, buf_str(&text));
    return STATUS_OK;
}

/* Adds `more` to the row of these names. */
static status add(struct engine *engine, const Pb__UsageRecord *names,
                  const Pb__UsageCounters *more, struct error *reterr)
{
    struct key key;
    Pb__UsageRecord *there = NULL;
    Pb__UsageRecord row    = *names;
    Pb__UsageCounters sum  = *more;
    TRY(key_of(names, &key, reterr));
    status got = record_get(engine->txn, TABLE_USAGE, key_bytes(&key),
                            &pb__usage_record__descriptor, engine->arena, &there, NULL);
    if (got != STATUS_OK && got != STATUS_NOT_FOUND) return fail(reterr, got, "table usage: a row");
    if (got == STATUS_OK && there->counters) usage_counters_add(&sum, there->counters);
    row.counters = &sum;
    return record_put(engine->txn, TABLE_USAGE, key_bytes(&key), &row.base, reterr);
}

static status add_label(struct engine *engine, const Pb__UsageRecord *names, const char *key,
                        const char *value, const Pb__UsageCounters *more, struct error *reterr)
{
    CLEANUP(buf_done) struct buf text = buf_init(TEXT_MAX);
    Pb__UsageRecord row               = PB__USAGE_RECORD__INIT;
    if (!buf_printf(&text, "%s=%s", key, value)) return STATUS_OK; /* longer than labels are */
    row.day        = names->day;
    row.namespace_ = names->namespace_;
    row.label      = text.ptr;
    return add(engine, &row, more, reterr);
}

static const Pb__Usage *usage_of(const Pb__JobReport *report)
{
    switch (report->result_case) {
    case PB__JOB_REPORT__RESULT_COMPLETED: return report->completed->usage;
    case PB__JOB_REPORT__RESULT_FAILED: return report->failed->usage;
    default: return NULL;
    }
}

static void fill(const Pb__Usage *wire, Pb__UsageCounters *counters)
{
    struct usage used = {};
    usage_from_wire(wire, &used);
    bool is_unknown = used.source == COST_UNKNOWN;
    pb__usage_counters__init(counters);
    counters->calls            = used.calls;
    counters->input_tokens     = used.input_tokens;
    counters->output_tokens    = used.output_tokens;
    counters->cached_tokens    = used.cached_tokens;
    counters->reasoning_tokens = used.reasoning_tokens;
    counters->cost_usd_nanos   = is_unknown ? 0 : used.cost_usd_nanos;
    counters->unpriced_calls   = is_unknown ? used.calls : 0;
    counters->simulated_calls  = used.is_simulated ? used.calls : 0;
}

status engine_usage_report(struct engine *engine, str run, const Pb__JobReport *report,
                           struct error *reterr)
{
    const Pb__Usage *used       = report ? usage_of(report) : NULL;
    const struct live_run *live = run_cache_find(&engine->cache, run);
    Pb__RunView *row            = NULL;
    Pb__UsageRecord names       = PB__USAGE_RECORD__INIT;
    Pb__UsageCounters counters;
    if (!used) return STATUS_OK;
    fill(used, &counters);
    if (usage_counters_are_zero(&counters)) return STATUS_OK;
    status got = engine_run_row(engine, run, &row, reterr);
    /* Nobody knows whose it was; the history has it. */
    if (got == STATUS_NOT_FOUND || got == STATUS_DATA_LOSS) return STATUS_OK;
    TRY(got);
    names.day        = (uint32_t)(engine->now_us / DAY_US);
    names.namespace_ = row->namespace_;
    names.key        = row->created_by;
    names.workflow   = row->workflow;
    names.provider   = used->provider;
    names.model      = used->model;
    TRY(add(engine, &names, &counters, reterr));
    for (size_t i = 0; i < row->n_labels; i++) {
        TRY(add_label(engine, &names, row->labels[i]->key, row->labels[i]->value, &counters,
                      reterr));
    }
    const struct added_label *label = live ? live->labels : NULL;
    for (; label; label = label->next) {
        TRY(add_label(engine, &names, label->key, label->value, &counters, reterr));
    }
    return STATUS_OK;
}
