/* Rules of retention: reading them, and which one fits a run. */
#include "base/clock.h"
#include "scheduler/engine/removal/retention.h"
#include "scheduler/tables/run_wire.h"

#include <stdio.h>

enum { POINTER_SIZE = 64, US_PER_MS = 1'000 };

static const struct {
    const char *name;
    Pb__RunStatus status;
} final_states[] = {
    {"completed", PB__RUN_STATUS__RUN_STATUS_COMPLETED},
    {"faulted", PB__RUN_STATUS__RUN_STATUS_FAULTED},
    {"cancelled", PB__RUN_STATUS__RUN_STATUS_CANCELLED},
    {"terminated", PB__RUN_STATUS__RUN_STATUS_TERMINATED},
};

/* --- reading -----------------------------------------------------------------------------------
 */

struct reading {
    const struct config *config;
    struct diagnostics *list;
    size_t index; /* of the rule */
};

static void found(const struct reading *reading, const char *member, const char *hint,
                  const char *what)
{
    char pointer[POINTER_SIZE];
    (void)snprintf(pointer, sizeof pointer, "/retention/rules/%zu%s%s", reading->index,
                   *member ? "/" : "", member);
    config_found(reading->config, reading->list, str_from(pointer), hint, "%s", what);
}

static bool read_status(json value, Pb__RunStatus *ret_status)
{
    for (size_t i = 0; json_is(value, JSON_TEXT) && i < ARRAY_LEN(final_states); i++) {
        if (!str_is(json_str(value), final_states[i].name)) continue;
        *ret_status = final_states[i].status;
        return true;
    }
    return false;
}

static void read_member(const struct reading *reading, str name, json value,
                        struct retention_rule *rule)
{
    bool is_text = json_is(value, JSON_TEXT) && json_str(value).len > 0;
    if (str_is(name, "keep")) {
        int64_t keep_ms = 0;
        if (config_duration_from(value, &keep_ms)) {
            rule->keep_us = keep_ms * US_PER_MS;
        } else {
            found(reading, "keep", "such as 7d; 0: for ever", "is no duration");
        }
    } else if (str_is(name, "status")) {
        if (read_status(value, &rule->status)) return;
        found(reading, "status", "completed, faulted, cancelled or terminated",
              "is no status of a finished run");
    } else if (str_is(name, "namespace")) {
        if (is_text) rule->namespace = json_str(value);
        if (!is_text) found(reading, "namespace", "a name", "is no text");
    } else if (str_is(name, "workflow")) {
        if (is_text) rule->workflow = json_str(value);
        if (!is_text) found(reading, "workflow", "a name, or its beginning and `*`", "is no text");
    } else {
        found(reading, "", "namespace, workflow, status and keep", "has a member of another name");
    }
}

static void read_rule(const struct reading *reading, json value, struct retention_rule *rule)
{
    *rule = (struct retention_rule){};
    if (!json_is(value, JSON_OBJECT) || json_is(json_get_text(value, "keep"), JSON_INVALID)) {
        found(reading, "", "{ namespace?, workflow?, status?, keep }", "is no rule");
        return;
    }
    for (size_t i = 0; i < json_count(value); i++) {
        read_member(reading, json_key_at(value, i), json_value_at(value, i), rule);
    }
}

void retention_read(const struct config *config, json rules, struct retention *retention,
                    struct diagnostics *list)
{
    struct reading reading = {.config = config, .list = list};
    retention->count       = 0;
    if (json_is(rules, JSON_OBJECT) && json_count(rules) > 0) {
        config_found(config, list, str_from("/retention/rules"), "- { workflow: NAME, keep: 7d }",
                     "is a list of rules");
    }
    for (size_t i = 0; json_is(rules, JSON_ARRAY) && i < json_count(rules); i++) {
        reading.index = i;
        if (i == RETENTION_RULES_MAX) {
            found(&reading, "", "", "is one rule too many: there can be 100");
            return;
        }
        read_rule(&reading, json_at(rules, i), &retention->rules[retention->count++]);
    }
}

/* --- asking ------------------------------------------------------------------------------------
 */

static bool workflow_fits(str pattern, str name)
{
    if (pattern.len == 0) return true;
    if (pattern.ptr[pattern.len - 1] != '*') return str_equal(pattern, name);
    size_t size = pattern.len - 1;
    return name.len >= size && memcmp(pattern.ptr, name.ptr, size) == 0;
}

static bool rule_fits(const struct retention_rule *rule, const Pb__RunView *row)
{
    bool is_status =
        rule->status == PB__RUN_STATUS__RUN_STATUS_UNSPECIFIED || rule->status == row->status;
    bool is_namespace = rule->namespace.len == 0 || str_is(rule->namespace, row->namespace_);
    return is_status && is_namespace && workflow_fits(rule->workflow, str_from(row->workflow));
}

int64_t retention_end_us(const struct retention *retention, const Pb__RunView *row)
{
    int64_t keep_us = retention->keep_us;
    for (size_t i = 0; i < retention->count; i++) {
        if (!rule_fits(&retention->rules[i], row)) continue;
        keep_us = retention->rules[i].keep_us;
        break;
    }
    return keep_us == RETENTION_FOR_EVER_US ? INT64_MAX : row->ended_us + keep_us;
}

int64_t retention_shortest_us(const struct retention *retention)
{
    int64_t shortest_us =
        retention->keep_us == RETENTION_FOR_EVER_US ? INT64_MAX : retention->keep_us;
    for (size_t i = 0; i < retention->count; i++) {
        int64_t keep_us = retention->rules[i].keep_us;
        if (keep_us != RETENTION_FOR_EVER_US && keep_us < shortest_us) shortest_us = keep_us;
    }
    return shortest_us;
}
