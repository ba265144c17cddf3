#include "scheduler/services/budget_spec.h"

#include "base/attr.h"
#include "base/money.h"
#include "scheduler/engine/budgets/book.h"
#include "scheduler/tables/record.h"
#include "workflow/zone.h"
#include "json/json_text.h"

#include <stdarg.h>
#include <stdio.h>

enum { LABEL_KEY_MAX = 63, LABEL_VALUE_MAX = 255, ID_TEXT_MAX = 128, MONEY_TEXT_LIMIT = 64 };

struct reading {
    json value;
    struct arena *arena;
    struct diagnostics *list;
    Pb__BudgetSpec *spec;
};

bool budget_name_is_valid(str name)
{
    if (name.len == 0 || name.len > BUDGET_NAME_MAX) return false;
    for (size_t i = 0; i < name.len; i++) {
        char c       = name.ptr[i];
        bool is_word = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
        if (!is_word && (c != '-' || i == 0 || i + 1 == name.len)) return false;
    }
    return true;
}

PRINTF_LIKE(3, 4)
static void find(const struct reading *reading, const char *pointer, const char *format, ...)
{
    char text[256];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(text, sizeof text, format, args);
    va_end(args);
    (void)diagnostics_add(reading->list, "", SEVERITY_ERROR, str_from(pointer), 0, 0, "%s", text);
}

/* A text member; "" if there is none. */
static const char *text_of(const struct reading *reading, json from, const char *name,
                           const char *pointer)
{
    json member = json_get_text(from, name);
    if (json_is(member, JSON_INVALID)) return "";
    bool is_text =
        json_is(member, JSON_TEXT) && !memchr(json_str(member).ptr, 0, json_str(member).len);
    char *text = is_text ? text_in(reading->arena, json_str(member)) : NULL;
    if (text) return text;
    find(reading, pointer, "must be a text");
    return "";
}

/* One of two words; the first one is the default. */
static bool is_second(const struct reading *reading, const char *name, const char *first,
                      const char *second)
{
    char pointer[32];
    (void)snprintf(pointer, sizeof pointer, "/%s", name);
    const char *text = text_of(reading, reading->value, name, pointer);
    if (!*text || strcmp(text, first) == 0) return false;
    if (strcmp(text, second) == 0) return true;
    find(reading, pointer, "must be %s or %s", first, second);
    return false;
}

/* --- members -----------------------------------------------------------------------------------
 */

static void read_label(const struct reading *reading, json label)
{
    Pb__BudgetSpec *spec = reading->spec;
    bool is_one          = json_is(label, JSON_OBJECT) && json_count(label) == 1;
    str key              = is_one ? json_key_at(label, 0) : (str){};
    json value           = is_one ? json_value_at(label, 0) : json_invalid();
    spec->scope          = PB__BUDGET_SCOPE__BUDGET_SCOPE_LABEL;
    bool is_good         = key.len > 0 && key.len <= LABEL_KEY_MAX && json_is(value, JSON_TEXT) &&
                   json_str(value).len <= LABEL_VALUE_MAX;
    if (!is_good) {
        find(reading, "/scope/label", "must be one label: {team: blue}");
        return;
    }
    spec->label = text_in(reading->arena, key);
    spec->value = text_in(reading->arena, json_str(value));
}

static void read_id(const struct reading *reading, const char *name, Pb__BudgetScope scope)
{
    char pointer[32];
    (void)snprintf(pointer, sizeof pointer, "/scope/%s", name);
    json from            = json_get_text(reading->value, "scope");
    reading->spec->scope = scope;
    reading->spec->value = text_of(reading, from, name, pointer);
    size_t len           = strlen(reading->spec->value);
    if (len == 0 || len > ID_TEXT_MAX) find(reading, pointer, "must be an id");
}

static void read_scope(const struct reading *reading)
{
    json scope   = json_get_text(reading->value, "scope");
    json label   = json_get_text(scope, "label");
    bool has_key = !json_is(json_get_text(scope, "key"), JSON_INVALID);
    bool has_run = !json_is(json_get_text(scope, "run"), JSON_INVALID);
    bool is_text = json_is(scope, JSON_TEXT) && str_is(json_str(scope), "namespace");
    bool is_one  = json_is(scope, JSON_OBJECT) && json_count(scope) == 1;
    if (is_text) {
        reading->spec->scope = PB__BUDGET_SCOPE__BUDGET_SCOPE_NAMESPACE;
    } else if (is_one && !json_is(label, JSON_INVALID)) {
        read_label(reading, label);
    } else if (is_one && has_key) {
        read_id(reading, "key", PB__BUDGET_SCOPE__BUDGET_SCOPE_KEY);
    } else if (is_one && has_run) {
        read_id(reading, "run", PB__BUDGET_SCOPE__BUDGET_SCOPE_RUN);
    } else {
        find(reading, "/scope",
             "must be namespace, or one of {label: {KEY: VALUE}}, {key: ID} and "
             "{run: ID}");
    }
}

static void read_limits(const struct reading *reading)
{
    Pb__BudgetSpec *spec              = reading->spec;
    json tokens                       = json_get_text(reading->value, "tokens");
    json usd                          = json_get_text(reading->value, "usd");
    bool has_tokens                   = !json_is(tokens, JSON_INVALID);
    bool has_usd                      = !json_is(usd, JSON_INVALID);
    CLEANUP(buf_done) struct buf text = buf_init(MONEY_TEXT_LIMIT);
    if (!has_tokens && !has_usd) find(reading, "", "needs tokens or usd, or both");
    if (has_tokens && (!json_to_int(tokens, &spec->tokens) || spec->tokens <= 0)) {
        find(reading, "/tokens", "must be a whole number above 0");
    }
    if (!has_usd) return;
    bool is_money =
        json_is(usd, JSON_TEXT) ? buf_put_str(&text, json_str(usd)) : json_print_number(usd, &text);
    is_money = is_money && money_parse(buf_str(&text), &spec->usd_nanos);
    if (is_money && spec->usd_nanos > 0) return;
    find(reading, "/usd",
         "must be a decimal number of dollars above 0 with at most 9 digits after "
         "the point");
}

static void read_days(const struct reading *reading)
{
    struct zone *zone    = NULL;
    struct error why     = {};
    const char *name     = text_of(reading, reading->value, "time_zone", "/time_zone");
    Pb__BudgetSpec *spec = reading->spec;
    spec->daily          = is_second(reading, "period", "total", "day");
    spec->time_zone      = name;
    if (*name && !spec->daily) find(reading, "/time_zone", "goes with period day only");
    if (*name && strcmp(name, "UTC") != 0 && zone_load(str_from(name), &zone, &why) != STATUS_OK) {
        find(reading, "/time_zone", "`%.*s` %s", ZONE_NAME_MAX, name, why.text);
    }
    zone_free(zone);
}

bool budget_spec_read(json value, struct arena *arena, struct diagnostics *list,
                      Pb__BudgetSpec *ret_spec)
{
    struct reading reading = {.value = value, .arena = arena, .list = list, .spec = ret_spec};
    *ret_spec              = (Pb__BudgetSpec)PB__BUDGET_SPEC__INIT;
    read_scope(&reading);
    read_limits(&reading);
    read_days(&reading);
    ret_spec->pauses          = is_second(&reading, "on_spent", "refuse", "pause");
    ret_spec->allows_unpriced = is_second(&reading, "unpriced", "refuse", "allow");
    return list->errors == 0;
}
