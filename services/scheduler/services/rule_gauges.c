#include "scheduler/services/rule_gauges.h"

#include "base/map.h"
#include "base/mem.h"
#include "budget.pb-c.h"
#include "scheduler/engine/limits/limit_board.h"
#include "scheduler/tables/tables.h"
#include "telemetry/metrics.h"

#include <stdlib.h>
#include <string.h>

enum { NAME_MAX_SIZE = 1'024 /* bytes of a namespace, a separator and a name */ };

/* Rows of which gauges are shown: each with the series of its own. */
struct shown {
    struct series *series[3];
    uint64_t seen; /* by which sample */
};

struct rule_gauges {
    struct metric *limit_used, *limit_waiting, *limit_max, *budget_ratio;
    struct map *limits, *budgets; /* name -> struct shown, owned */
    uint64_t sample;
};

static struct metric *gauge(struct metrics *registry, const char *name, const char *help,
                            const char *first, const char *second)
{
    const struct metric_spec spec = {.name       = name,
                                     .help       = help,
                                     .kind       = METRIC_GAUGE,
                                     .labels     = {first, second},
                                     .series_max = RULE_GAUGES_MAX};
    return metric_add(registry, &spec);
}

struct rule_gauges *rule_gauges_new(struct metrics *registry)
{
    struct rule_gauges *gauges = mem_new(1, sizeof *gauges);
    gauges->limit_used =
        gauge(registry, "tutti_limit_in_use", "Calls under way of a target.", "limit", NULL);
    gauges->limit_waiting =
        gauge(registry, "tutti_limit_waiting", "Jobs that wait for a target.", "limit", NULL);
    gauges->limit_max = gauge(registry, "tutti_limit_max",
                              "Calls of a target that may be under way; 0: any.", "limit", NULL);
    gauges->budget_ratio =
        gauge(registry, "tutti_budget_used_ratio",
              "What is spent of a budget: of its tokens or its money, whichever is more.",
              "namespace", "budget");
    gauges->limits  = map_new(RULE_GAUGES_MAX);
    gauges->budgets = map_new(RULE_GAUGES_MAX);
    return gauges;
}

static void rows_free(struct map *rows)
{
    size_t cursor = 0;
    void *shown   = NULL;
    while (map_next(rows, &cursor, NULL, &shown)) free(shown);
    map_free(rows);
}

void rule_gauges_free(struct rule_gauges *gauges)
{
    if (!gauges) return;
    rows_free(gauges->limits);
    rows_free(gauges->budgets);
    free(gauges);
}

/* --- rows --------------------------------------------------------------------------------------
 */

/* The row of that name; new: without series. NULL: there are RULE_GAUGES_MAX. */
static struct shown *row_of(struct map *rows, str name, uint64_t sample)
{
    struct shown *shown = map_get(rows, name);
    if (!shown) {
        shown = mem_new(1, sizeof *shown);
        if (!map_put(rows, name, shown)) {
            free(shown);
            return NULL;
        }
    }
    shown->seen = sample;
    return shown;
}

static void zero_others(struct map *rows, uint64_t sample)
{
    size_t cursor = 0;
    void *value   = NULL;
    while (map_next(rows, &cursor, NULL, &value)) {
        const struct shown *shown = value;
        for (size_t i = 0; shown->seen != sample && i < ARRAY_LEN(shown->series); i++) {
            if (shown->series[i]) series_set(shown->series[i], 0);
        }
    }
}

/* --- limits ------------------------------------------------------------------------------------
 */

static bool is_of_target(const Pb__LimitView *view)
{
    return strcmp(view->source, "api") == 0 || strcmp(view->source, "configuration") == 0;
}

static void show_limit(struct rule_gauges *gauges, const Pb__LimitView *view)
{
    str name            = str_from(view->name);
    struct shown *shown = row_of(gauges->limits, name, gauges->sample);
    if (!shown) return;
    if (!shown->series[0]) {
        shown->series[0] = metric_series(gauges->limit_used, &name);
        shown->series[1] = metric_series(gauges->limit_waiting, &name);
        shown->series[2] = metric_series(gauges->limit_max, &name);
    }
    series_set(shown->series[0], (double)view->used);
    series_set(shown->series[1], (double)view->waiting);
    series_set(shown->series[2], view->rule ? view->rule->concurrency : 0);
}

/* Who waits in another partition. */
static void add_waiting(struct rule_gauges *gauges, const Pb__LimitView *view)
{
    const struct shown *shown = map_get(gauges->limits, str_from(view->name));
    bool is_shown             = shown && shown->seen == gauges->sample;
    if (is_shown) series_add(shown->series[1], (double)view->waiting);
}

static void show_limits(struct rule_gauges *gauges, struct scheduler *scheduler,
                        struct arena *arena)
{
    for (uint16_t i = 0; i < scheduler_partition_count(scheduler); i++) {
        const struct shard *shard = scheduler_shard(scheduler, i);
        Pb__LimitList list        = PB__LIMIT_LIST__INIT;
        if (!shard) continue;
        if (limit_board_list(board_limits(shard->board), (str){}, arena, &list, NULL) !=
            STATUS_OK) {
            continue;
        }
        for (size_t l = 0; l < list.n_limits; l++) {
            if (!is_of_target(list.limits[l])) continue;
            if (i == 0) {
                show_limit(gauges, list.limits[l]);
            } else {
                add_waiting(gauges, list.limits[l]);
            }
        }
    }
    zero_others(gauges->limits, gauges->sample);
}

/* --- budgets -----------------------------------------------------------------------------------
 */

static double ratio(int64_t spent, int64_t limit)
{
    return limit > 0 ? (double)spent / (double)limit : 0;
}

struct reading {
    struct rule_gauges *gauges;
    struct arena *arena;
};

static status show_budget(bytes, bytes row, struct error *reterr, void *context)
{
    const struct reading *reading     = context;
    struct rule_gauges *gauges        = reading->gauges;
    CLEANUP(buf_done) struct buf name = buf_init(NAME_MAX_SIZE);
    Pb__BudgetView *view              = NULL;
    TRY(record_read(row, &pb__budget_view__descriptor, reading->arena, &view, reterr));
    if (!view->spec) return STATUS_OK;
    const str labels[] = {str_from(view->namespace_), str_from(view->name)};
    (void)buf_printf(&name, "%s\x1f%s", view->namespace_, view->name);
    struct shown *shown = row_of(gauges->budgets, buf_str(&name), gauges->sample);
    if (!shown) return STATUS_OK;
    if (!shown->series[0]) shown->series[0] = metric_series(gauges->budget_ratio, labels);
    double tokens = ratio(view->spent_tokens, view->spec->tokens);
    double money  = ratio(view->spent_nanos, view->spec->usd_nanos);
    series_set(shown->series[0], tokens > money ? tokens : money);
    return STATUS_OK;
}

static void show_budgets(struct rule_gauges *gauges, const struct shard *shard, struct arena *arena)
{
    struct reading reading              = {.gauges = gauges, .arena = arena};
    CLEANUP(txn_abortp) struct txn *txn = NULL;
    struct page page                    = {};
    const struct scan scan              = {};
    if (txn_begin_read(shard->partition->store, &txn, NULL) != STATUS_OK) return;
    if (txn_page(txn, TABLE_BUDGETS, &scan, RULE_GAUGES_MAX, &page, show_budget, &reading, NULL) !=
        STATUS_OK) {
        return;
    }
    zero_others(gauges->budgets, gauges->sample);
}

void rule_gauges_set(struct rule_gauges *gauges, struct scheduler *scheduler, struct arena *arena)
{
    const struct shard *shard = scheduler_shard(scheduler, 0);
    if (!shard) return;
    gauges->sample++;
    show_limits(gauges, scheduler, arena);
    show_budgets(gauges, shard, arena);
}
