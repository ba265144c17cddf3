#include "scheduler/engine/usages/usage_rows.h"

#include "fleet/usage_sum.h"
#include "scheduler/engine/budgets/engine_budgets.h"
#include "scheduler/engine/budgets/ledger.h"
#include "scheduler/engine/limits/engine_limits.h"
#include "scheduler/engine/usages/report_sources.h"
#include "scheduler/tables/run_wire.h"

enum {
    TEXT_MAX  = 4'096, /* bytes of all names of a row */
    SHOWN_MAX = 255,   /* bytes; a worker may say what it likes */
};

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
    row.run                = "";
    row.call               = "";
    row.cost_source        = PB__COST_SOURCE__COST_SOURCE_UNSPECIFIED;
    TRY(key_of(names, &key, reterr));
    status got = record_get(engine->txn, TABLE_USAGE, key_bytes(&key),
                            &pb__usage_record__descriptor, engine->arena, &there, NULL);
    if (got != STATUS_OK && got != STATUS_NOT_FOUND) return fail(reterr, got, "table usage: a row");
    if (got == STATUS_OK && there->counters) usage_counters_add(&sum, there->counters);
    row.counters = &sum;
    return record_put(engine->txn, TABLE_USAGE, key_bytes(&key), &row.base, reterr);
}

static const char *shown(const char *name)
{
    return strlen(name) <= SHOWN_MAX ? name : "(long name)";
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

const Pb__Usage *engine_usage_of(const Pb__JobReport *report)
{
    switch (report->result_case) {
    case PB__JOB_REPORT__RESULT_COMPLETED: return report->completed->usage;
    case PB__JOB_REPORT__RESULT_FAILED: return report->failed->usage;
    case PB__JOB_REPORT__RESULT_RELEASED: return report->released->usage;
    default: return NULL;
    }
}

status engine_usage_report(struct engine *engine, str run, const Pb__JobReport *report,
                           struct error *reterr)
{
    const Pb__Usage *used = report ? engine_usage_of(report) : NULL;
    Pb__RunView *row      = NULL;
    Pb__UsageRecord names = PB__USAGE_RECORD__INIT;
    Pb__UsageCounters counters;
    if (!used) return STATUS_OK;
    usage_counters_fill(used, &counters);
    if (usage_counters_are_zero(&counters)) return STATUS_OK;
    status got = engine_run_row(engine, run, &row, reterr);
    /* Nobody knows whose it was; the history has it. */
    if (got == STATUS_NOT_FOUND || got == STATUS_DATA_LOSS) return STATUS_OK;
    TRY(got);
    names.day        = (uint32_t)(engine->now_us / DAY_US);
    names.namespace_ = row->namespace_;
    names.key        = row->created_by;
    names.workflow   = row->workflow;
    names.provider   = shown(used->provider);
    names.model      = shown(used->model);
    TRY(add(engine, &names, &counters, reterr));
    for (size_t i = 0; i < row->n_labels; i++) {
        TRY(add_label(engine, &names, row->labels[i]->key, row->labels[i]->value, &counters,
                      reterr));
    }
    const struct live_run *live     = run_cache_find(&engine->cache, run);
    const struct added_label *label = live ? live->labels : NULL;
    for (; label; label = label->next) {
        TRY(add_label(engine, &names, label->key, label->value, &counters, reterr));
    }
    return STATUS_OK;
}

/* --- of calls that are no jobs -----------------------------------------------------------------
 */

static status spend_tokens(struct engine *engine, const Pb__UsageRecord *row, struct error *reterr)
{
    const Pb__UsageCounters *used = row->counters;
    int64_t tokens                = 0;
    if (!used || !*row->key) return STATUS_OK; /* of a label: counted with the others */
    if (__builtin_add_overflow(used->input_tokens, used->output_tokens, &tokens)) {
        tokens = INT64_MAX;
    }
    return tokens > 0 ? engine_spend_key_tokens(engine, row->key, tokens, reterr) : STATUS_OK;
}

static status count_row(struct engine *engine, const Pb__UsageRecord *row, struct error *reterr)
{
    if (*row->call) TRY(engine_tell_run_charge(engine, row, reterr));
    if (usage_counters_are_zero(row->counters)) return STATUS_OK;
    TRY(add(engine, row, row->counters, reterr));
    return spend_tokens(engine, row, reterr);
}

status engine_count_usage(struct engine *engine, struct command *command, struct error *reterr)
{
    const Pb__UsageReport *report = command->request;
    Pb__UsageReported *answer     = command->response;
    engine_answer(engine, command);
    TRY(report_source_take(engine, str_from(report->source), report->number, &answer->last,
                           reterr));
    if (report->number <= answer->last) return STATUS_OK; /* it was counted */
    for (size_t i = 0; i < report->n_rows; i++) {
        TRY(count_row(engine, report->rows[i], reterr));
    }
    for (size_t i = 0; i < report->n_ends; i++) {
        ledger_end_call(engine->ledger, report->ends[i], engine->now_us);
    }
    answer->last = report->number;
    return STATUS_OK;
}
