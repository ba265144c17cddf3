/* What models have cost, added up over all scheduler processes. */
#include "base/assert.h"
#include "base/clock.h"
#include "fleet/usage_sum.h"
#include "gateway/api/view.h"
#include "gateway/fleet.h"
#include "gateway/handlers/handlers.h"

#include <stdio.h>
#include <stdlib.h>

enum { DAYS_DEFAULT = 30, DAYS_MAX = 366 };
#define DAY_US INT64_C(86'400'000'000)

/* call->state */
struct asked {
    Pb__SumUsage message;
    const char *group; /* "label:team" */
};

static void put_counters(struct json_writer *w, const Pb__UsageCounters *counters)
{
    json_put_int(w, "calls", counters->calls);
    json_put_int(w, "input_tokens", counters->input_tokens);
    json_put_int(w, "output_tokens", counters->output_tokens);
    json_put_int(w, "cached_tokens", counters->cached_tokens);
    json_put_int(w, "reasoning_tokens", counters->reasoning_tokens);
    view_money(w, "cost_usd", counters->cost_usd_nanos);
    json_put_int(w, "unpriced_calls", counters->unpriced_calls);
    json_put_int(w, "simulated_calls", counters->simulated_calls);
    json_put_int(w, "saved_calls", counters->saved_calls);
    view_money(w, "saved_usd", counters->saved_usd_nanos);
}

static void put_day(struct json_writer *w, const char *name, uint32_t day)
{
    char text[TIME_TEXT_SIZE];
    time_format((int64_t)day * DAY_US, text);
    json_put_text(w, name, str_slice(str_from(text), 0, sizeof "2026-08-21" - 1));
}

static int by_value(const void *left, const void *right)
{
    const struct usage_group *a = left;
    const struct usage_group *b = right;
    return strcmp(a->value, b->value);
}

static void on_sum(struct api_call *call, const struct usage_sum *sum,
                   const struct rpc_answer *failed)
{
    const struct asked *asked = call->state;
    Pb__UsageCounters total   = PB__USAGE_COUNTERS__INIT;
    struct api_answer response;
    if (failed) { /* without it the sum would be wrong */
        api_fail_answer(call, failed);
        return;
    }
    api_answer_begin(&response, call);
    struct json_writer *w = &response.json;
    if (sum->count > 0) qsort(sum->groups, sum->count, sizeof *sum->groups, by_value);
    json_begin_object(w);
    put_day(w, "from", asked->message.from_day);
    put_day(w, "to", asked->message.until_day);
    json_put_text(w, "group_by", str_from(asked->group));
    json_member(w, "items");
    json_begin_array(w);
    for (size_t i = 0; i < sum->count; i++) {
        usage_counters_add(&total, &sum->groups[i].counters);
        json_begin_object(w);
        json_put_text(w, "value", str_from(sum->groups[i].value));
        put_counters(w, &sum->groups[i].counters);
        json_end_object(w);
    }
    json_end_array(w);
    json_member(w, "total");
    json_begin_object(w);
    put_counters(w, &total);
    json_end_object(w);
    json_end_object(w);
    api_answer_send(&response, 200, NULL);
}

/* --- what is asked -----------------------------------------------------------------------------
 */

/* False: the call was answered. */
static bool read_day(struct api_call *call, const char *name, uint32_t *day)
{
    enum { LENGTH = sizeof "2026-08-21" - 1 };
    str text   = {};
    int64_t us = 0;
    char time[TIME_TEXT_SIZE];
    if (!api_query(call, name, &text)) return true;
    bool is_day = text.len == LENGTH;
    (void)snprintf(time, sizeof time, "%.*sT00:00:00Z", is_day ? LENGTH : 0, text.ptr);
    if (is_day && time_parse(str_from(time), &us) && us >= 0) {
        *day = (uint32_t)(us / DAY_US);
        return true;
    }
    api_fail_with(call, "invalid_request", (str){}, "%s: a day such as 2026-08-21", name);
    return false;
}

static bool read_group(struct api_call *call, struct asked *asked)
{
    static const struct {
        const char *name;
        Pb__UsageGroup group;
    } groups[] = {
        {"day", PB__USAGE_GROUP__USAGE_GROUP_DAY},
        {"key", PB__USAGE_GROUP__USAGE_GROUP_KEY},
        {"workflow", PB__USAGE_GROUP__USAGE_GROUP_WORKFLOW},
        {"provider", PB__USAGE_GROUP__USAGE_GROUP_PROVIDER},
        {"model", PB__USAGE_GROUP__USAGE_GROUP_MODEL},
    };
    const str label      = str_from("label:");
    str text             = str_from("day");
    asked->message.group = PB__USAGE_GROUP__USAGE_GROUP_NONE;
    (void)api_query(call, "group_by", &text);
    asked->group = api_text(call, text);
    for (size_t i = 0; i < ARRAY_LEN(groups); i++) {
        if (str_is(text, groups[i].name)) asked->message.group = groups[i].group;
    }
    if (str_starts_with(text, label) && text.len > label.len) {
        asked->message.group = PB__USAGE_GROUP__USAGE_GROUP_LABEL;
        asked->message.label = api_text(call, str_slice(text, label.len, text.len));
    }
    if (asked->message.group != PB__USAGE_GROUP__USAGE_GROUP_NONE) return true;
    api_fail_with(call, "invalid_request", (str){},
                  "group_by: day, key, workflow, provider, model or label:KEY");
    return false;
}

void usage_get(struct api_call *call)
{
    struct asked *asked = arena_alloc(call->arena, sizeof *asked);
    ASSERT(asked);
    pb__sum_usage__init(&asked->message);
    asked->message.namespace_ = api_namespace(call);
    asked->message.until_day  = (uint32_t)(clock_unix_us() / DAY_US);
    if (!read_group(call, asked) || !read_day(call, "to", &asked->message.until_day)) return;
    uint32_t until          = asked->message.until_day;
    asked->message.from_day = until >= DAYS_DEFAULT ? until - DAYS_DEFAULT + 1 : 0;
    if (!read_day(call, "from", &asked->message.from_day)) return;
    if (asked->message.from_day > until || until - asked->message.from_day >= DAYS_MAX) {
        api_fail_with(call, "invalid_request", (str){}, "from, to: at most %d days, in their order",
                      DAYS_MAX);
        return;
    }
    fleet_ask_usage(call, &asked->message, asked, on_sum);
}
